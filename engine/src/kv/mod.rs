//! KV bookkeeping: which page belongs to which sequence, which prefix is already cached. The lane owns the bytes.
