//! Short texts as numbers, which are equal exactly when the texts are, and sets of them.

use deltalake::arrow::array::{Array, StringArray};
use deltalake::arrow::buffer::BooleanBuffer;

/// A text of at most fifteen bytes with its length; `None` of a longer one.
pub(super) fn pack(text: &[u8]) -> Option<u128> {
    let half = |bytes: &[u8]| -> u64 {
        // The first and the last four bytes hold all of four to eight.
        match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let rest = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
                u64::from(u32::from_le_bytes(*first)) | rest
            }
            _ => bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)),
        }
    };
    let length = u128::from(u8::try_from(text.len()).ok().filter(|length| *length < 16)?) << 120;
    Some(match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let rest = u128::from(u64::from_le_bytes(*last)) << (8 * (text.len() - 8));
            length | u128::from(u64::from_le_bytes(*first)) | rest
        }
        _ => length | u128::from(half(text)),
    })
}

/// A hash of packed texts.
#[expect(clippy::cast_possible_truncation, reason = "the halves")]
pub(super) fn mix(packed: u128) -> u64 {
    // Source of the constants: wyhash, W. Yi.
    let (low, high) = (packed as u64 ^ 0xa076_1d64_78bd_642f, (packed >> 64) as u64 ^ 0xe703_7ed1_a0b4_28db);
    let product = u128::from(low) * u128::from(high);
    let mixed = (product as u64) ^ ((product >> 64) as u64) ^ low.rotate_left(32);
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (mixed >> 29)
}

/// A set of packed texts: each lies at its hash's slot, or behind it.
#[derive(Debug)]
pub(in crate::engines::local) struct Texts {
    /// A power of two, at least half of them [`NOTHING`].
    slots: Vec<u128>,
}

/// No text: none is as long as it says.
const NOTHING: u128 = u128::MAX;

impl Texts {
    pub(super) fn of(texts: &[u128]) -> Self {
        let mut set = Texts { slots: vec![NOTHING; (texts.len() * 2).next_power_of_two()] };
        for text in texts {
            let slot = set.find(*text, set.slot(*text));
            set.slots[slot] = *text;
        }
        set
    }

    fn slot(&self, text: u128) -> usize {
        usize::try_from(mix(text) & (self.slots.len() as u64 - 1)).unwrap_or(0)
    }

    /// The slot that has the text, or where it would be, from a slot on.
    fn find(&self, text: u128, mut slot: usize) -> usize {
        while self.slots[slot] != text && self.slots[slot] != NOTHING {
            slot = (slot + 1) % self.slots.len();
        }
        slot
    }

    /// The rows whose text is in the set. Of a NULL the answer says nothing.
    pub(super) fn rows(&self, texts: &StringArray) -> BooleanBuffer {
        // One loop after the other, without a branch that depends on memory: then many slots are fetched at the same time.
        let packed = |row| pack(texts.value(row).as_bytes()).unwrap_or(NOTHING);
        let packed: Vec<u128> = (0..texts.len()).map(packed).collect();
        let slots: Vec<usize> = packed.iter().map(|text| self.slot(*text)).collect();
        let found: Vec<u128> = slots.iter().map(|slot| self.slots[*slot]).collect();
        BooleanBuffer::collect_bool(packed.len(), |row| {
            let text = packed[row];
            text != NOTHING && (found[row] == text || self.slots[self.find(text, slots[row])] == text)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn packed_texts_are_equal_when_the_texts_are() {
        let mut seen = BTreeMap::new();
        let mut texts: Vec<Vec<u8>> = (0..=15).map(|n| vec![0; n]).collect();
        for n_bytes in 1..=15 {
            for place in 0..n_bytes {
                for byte in [1, 255] {
                    let mut text = vec![7; n_bytes];
                    text[place] = byte;
                    texts.push(text);
                }
            }
        }
        for text in texts {
            let packed = pack(&text).expect("short");
            assert_eq!(packed, pack(&text.clone()).expect("short"));
            if let Some(other) = seen.insert(packed, text.clone()) {
                assert_eq!(other, text);
            }
        }
        assert_eq!(pack(&[1; 16]), None);
    }

    #[test]
    fn a_set_has_its_texts_and_no_others() {
        let texts = |range: std::ops::Range<u32>| StringArray::from_iter_values(range.map(|n| format!("text {n}")));
        let known = texts(0..3000);
        let set = Texts::of(&known.iter().flatten().filter_map(|text| pack(text.as_bytes())).collect::<Vec<_>>());
        assert_eq!(set.rows(&known).count_set_bits(), 3000);
        assert_eq!(set.rows(&texts(2900..4000)).set_indices().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        let other = StringArray::from(vec!["", "a text of more than fifteen bytes"]);
        assert_eq!(set.rows(&other).count_set_bits(), 0);
        assert_eq!(Texts::of(&[]).rows(&other).count_set_bits(), 0);
    }
}
