//! Where certain bytes stand, 64 at a time, a bit each.
//!
//! In: text. Out: words whose bit `n` speaks of byte `n` of a chunk. Written without intrinsics, in a form of which the
//! compiler makes vector code (checked with `-O3` for x86-64 and its baseline SSE2).

/// The bytes that separate fields and records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Separators {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
}

/// What 64 bytes hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) delimiters: u64,
    pub(super) line_feeds: u64,
    pub(super) quotes: u64,
    /// Bytes inside quotes, by the parity of quotes: from the opening quote to before the closing one.
    pub(super) inside: u64,
}

/// Calls `visit` with each chunk's place and bits. Bytes behind the end count as nothing.
#[inline(always)]
pub(super) fn for_each_word(separators: Separators, text: &[u8], mut visit: impl FnMut(usize, Word)) {
    let (chunks, tail) = text.as_chunks::<64>();
    let mut parity = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        visit(index * 64, word(separators, chunk, u64::MAX, &mut parity));
    }
    if !tail.is_empty() {
        let mut chunk = [0; 64];
        chunk[..tail.len()].copy_from_slice(tail);
        let valid = (1 << tail.len()) - 1;
        visit(chunks.len() * 64, word(separators, &chunk, valid, &mut parity));
    }
}

#[inline(always)]
fn word(separators: Separators, chunk: &[u8; 64], valid: u64, parity: &mut u64) -> Word {
    let quotes = mask_of([separators.quote; 4], chunk) & valid;
    let inside = prefix_xor(quotes) ^ *parity;
    // All ones when the word ends inside quotes.
    *parity = 0_u64.wrapping_sub(inside >> 63);
    Word {
        delimiters: mask_of([separators.delimiter; 4], chunk) & valid,
        line_feeds: mask_of([b'\n'; 4], chunk) & valid,
        quotes,
        inside,
    }
}

/// Bit `n` is the parity of bits 0 to `n`.
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Calls `visit` with the place of each byte that is one of `wanted`, in order.
#[inline(always)]
pub(super) fn for_each_of(wanted: [u8; 4], text: &[u8], mut visit: impl FnMut(usize)) {
    let (chunks, tail) = text.as_chunks::<64>();
    for (index, chunk) in chunks.iter().enumerate() {
        for_each_bit(mask_of(wanted, chunk), |bit| visit(index * 64 + bit));
    }
    let begin = chunks.len() * 64;
    for (index, byte) in tail.iter().enumerate() {
        if wanted.contains(byte) {
            visit(begin + index);
        }
    }
}

/// Calls `visit` with the place of each bit that is set, from the lowest.
#[inline(always)]
pub(super) fn for_each_bit(mut mask: u64, mut visit: impl FnMut(usize)) {
    while mask != 0 {
        visit(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

#[inline(always)]
fn mask_of(wanted: [u8; 4], chunk: &[u8; 64]) -> u64 {
    let [a, b, c, d] = wanted;
    let mut found = [0u8; 64];
    for (to, byte) in found.iter_mut().zip(chunk) {
        *to = u8::from(*byte == a) | u8::from(*byte == b) | u8::from(*byte == c) | u8::from(*byte == d);
    }
    let mut mask = 0;
    for (index, word) in found.as_chunks::<8>().0.iter().enumerate() {
        // Gathers the lowest bit of each byte into the highest byte.
        let bits = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (index * 8);
    }
    mask
}
