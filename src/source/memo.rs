//! What earlier runs found out about a text, by its content.
//!
//! A key is a hash of all that the finding depends on; a value is bytes that only the stage that wrote them can read.
//! Deleting a memo changes speed, never a result: whoever reads bytes that mean nothing gets nothing and works it out
//! again. Values that a run did not use are forgotten.

use std::collections::BTreeMap;

/// A hash of what a finding depends on.
pub type Key = [u8; 32];

/// The key of some texts; their borders count.
pub fn key(parts: &[&str]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Findings by key.
#[derive(Debug, Default)]
pub struct Memo {
    known: BTreeMap<Key, Finding>,
    is_changed: bool,
}

#[derive(Debug)]
struct Finding {
    bytes: Box<[u8]>,
    is_used: bool,
}

impl Memo {
    /// Reads what [`Memo::to_bytes`] wrote; of other bytes, as much as makes sense.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut known = BTreeMap::new();
        let mut rest = bytes;
        while let Some((head, tail)) = rest.split_at_checked(size_of::<Key>() + size_of::<u64>()) {
            let (key, length) = head.split_at(size_of::<Key>());
            let length = <[u8; 8]>::try_from(length).map(u64::from_le_bytes).ok().and_then(|n| usize::try_from(n).ok());
            let (Ok(key), Some((value, tail))) = (Key::try_from(key), length.and_then(|n| tail.split_at_checked(n)))
            else {
                break;
            };
            known.insert(key, Finding { bytes: value.into(), is_used: false });
            rest = tail;
        }
        Memo { known, is_changed: false }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, finding) in self.known.iter().filter(|(_, finding)| finding.is_used) {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&(finding.bytes.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&finding.bytes);
        }
        bytes
    }

    /// What is known under a key.
    pub fn find(&mut self, key: &Key) -> Option<&[u8]> {
        let finding = self.known.get_mut(key)?;
        finding.is_used = true;
        Some(&finding.bytes)
    }

    pub fn remember(&mut self, key: Key, bytes: Vec<u8>) {
        self.is_changed = true;
        self.known.insert(key, Finding { bytes: bytes.into(), is_used: true });
    }

    /// Whether this run found out anything new.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_survives_and_broken_bytes_are_forgotten() {
        let (used, unused) = (key(&["a"]), key(&["b", ""]));
        let mut memo = Memo::default();
        memo.remember(used, b"one".to_vec());
        memo.remember(unused, b"two".to_vec());
        let mut again = Memo::from_bytes(&memo.to_bytes());
        assert_eq!(again.find(&used), Some(&b"one"[..]));
        let bytes = again.to_bytes();
        assert_eq!(Memo::from_bytes(&bytes).find(&unused), None);
        assert_eq!(Memo::from_bytes(&bytes[..bytes.len() - 1]).find(&used), None);
    }
}
