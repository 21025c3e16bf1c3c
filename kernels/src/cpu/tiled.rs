//! Products of many tokens with ternary weights on matrix tiles. The activations lie tile after tile, so that a tile is a kilobyte in
//! a row; the weights are expanded to bytes while the first tokens are multiplied, and stay in the second-level cache for the others.
//!
//! Order of tiled activations: `[tokens / 16, columns / 64, 16 tokens, 64 columns]`, both rounded up. What lies in rows beyond the
//! last token is not used; columns beyond the real ones are zero.

use super::panel::Memory;
use super::ternary::{BLOCK_COLS, Matrix};
use super::{GROUP_ROWS, Isa, Outputs};

/// Tokens of a tile.
pub const TILE_TOKENS: usize = 16;
/// Columns of a tile.
pub const TILE_COLS: usize = 64;
/// Bytes of a tile of activations, and of one of weights.
pub const TILE_BYTES: usize = TILE_TOKENS * TILE_COLS;

/// Most groups of a product.
pub const MOST_GROUPS: usize = 8;
/// Columns whose weights are expanded at a time. Activations of more columns come from beyond the second-level cache, which is
/// as slow as the products of four groups are fast: [`MOST_GROUPS`] make it half the work.
pub const LONG_COLS: usize = 2560;

/// Bytes of tiled activations.
pub fn tiles_bytes(tokens: usize, cols: usize) -> usize {
    tokens.div_ceil(TILE_TOKENS) * row_bytes(cols)
}

/// Bytes of the tiles of sixteen tokens.
pub fn row_bytes(cols: usize) -> usize {
    cols.div_ceil(TILE_COLS) * TILE_BYTES
}

/// Some groups of a matrix against many tokens, W1.58A8: `(sum of trit * x) * (x_scale * row_scale)`, the sum exact.
#[derive(Debug)]
pub struct Product<'a> {
    /// The weights.
    pub matrix: Matrix<'a>,
    /// First group; where a bundle of the packing has several groups, the first of a bundle.
    pub first_group: usize,
    /// Groups, at most [`MOST_GROUPS`].
    pub groups: usize,
    /// Scale of each row of the matrix, padded to whole groups.
    pub row_scales: &'a [f32],
    /// Tiled activations, each at least -127.
    pub x: &'a [i8],
    /// Scale of each token.
    pub x_scales: &'a [f32],
    /// Sum of the activations of each token.
    pub x_sums: &'a [i32],
    /// Tokens.
    pub tokens: usize,
    /// Where weights are expanded and sums wait.
    pub memory: &'a mut Memory,
    /// Where the results go.
    pub out: &'a Outputs<'a>,
}

impl Product<'_> {
    /// Tiles of columns.
    pub(super) fn steps(&self) -> usize {
        (self.matrix.k_blocks * BLOCK_COLS).div_ceil(TILE_COLS)
    }

    /// Panics when a slice is too short for its description.
    pub(super) fn check(&self) {
        let bundle_groups = self.matrix.packing.rows() / GROUP_ROWS;
        assert!(self.first_group.is_multiple_of(bundle_groups), "groups from the first of a bundle on");
        let end = self.first_group + self.groups;
        assert!(self.groups <= MOST_GROUPS, "groups of a panel");
        if let Some(last) = end.checked_sub(1) {
            self.matrix.check(last / bundle_groups + 1);
        }
        assert!(self.row_scales.len() >= end * GROUP_ROWS, "scales of the rows");
        let cols = self.matrix.k_blocks * BLOCK_COLS;
        assert!(self.x.len() >= tiles_bytes(self.tokens, cols), "tiles of activations");
        assert!(
            self.x_scales.len() >= self.tokens && self.x_sums.len() >= self.tokens,
            "scales and sums of the activations"
        );
        self.out.check(self.tokens);
    }
}

/// Multiplies.
///
/// # Panics
/// When `isa` has no tiles ([`Isa::has_tiles`]), or a slice is too short for its description.
pub fn exact(isa: Isa, product: &mut Product<'_>) {
    product.check();
    assert!(isa.has_tiles(), "matrix tiles");
    #[cfg(target_arch = "x86_64")]
    super::amx::exact(isa, product);
}
