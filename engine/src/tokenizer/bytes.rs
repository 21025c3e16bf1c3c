//! The GPT-2 byte map: every byte has one printable character, so that byte-level vocabularies can be written as text.
//!
//! Bytes 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF keep their code point; the other 68 become U+0100, U+0101, ... in ascending order.

/// The byte behind a character of a byte-mapped token text.
pub(super) fn byte_from_char(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7F).ok(),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// Appends the bytes that a byte-mapped token text stands for. A character outside the map stands for itself.
pub(super) fn push_bytes(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match byte_from_char(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_exactly_one_character_in_ascending_order() {
        let is_printable = |b: u8| matches!(b, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
        let mut next = 0x100;
        for byte in 0..=255u8 {
            let code = if is_printable(byte) {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            let c = char::from_u32(code).expect("the map stays below the surrogates");
            assert_eq!(byte_from_char(c), Some(byte), "byte {byte:#04x}");
        }
        assert_eq!(next, 0x144);
        assert_eq!(byte_from_char('\u{144}'), None);
        assert_eq!(byte_from_char(' '), None);
    }

    #[test]
    fn a_space_is_written_as_u0120() {
        let mut out = Vec::new();
        push_bytes("\u{120}hi", &mut out);
        assert_eq!(out, b" hi");
    }
}
