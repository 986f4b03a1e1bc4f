//! Short texts as numbers, which are equal exactly when the texts are.

use std::hash::Hasher;

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

/// Hashes packed texts.
#[derive(Debug, Default)]
pub(in crate::engines::local) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |all, byte| mix(u128::from(all ^ u64::from(*byte))));
    }

    fn write_u128(&mut self, packed: u128) {
        self.0 = mix(packed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::pack;

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
}
