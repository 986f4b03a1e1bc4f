//! What earlier runs found out about a text, by its content.
//!
//! A key is a hash of all that the finding depends on; a value is bytes that only the stage that wrote them can read.
//! Deleting a memo changes speed, never a result: whoever reads bytes that mean nothing gets nothing and works it out
//! again. Values that a run did not use are forgotten.

use std::collections::BTreeMap;
use std::io;

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
    /// Whether the bytes that it was read from end in something else.
    is_broken: bool,
}

#[derive(Debug)]
struct Finding {
    bytes: Box<[u8]>,
    is_used: bool,
    is_new: bool,
}

/// How to keep a memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing is new.
    AsItIs,
    /// The new findings, behind the bytes that are there.
    Append,
    /// All that was used, instead of the bytes that are there.
    Replace,
}

impl Memo {
    /// Reads what [`Memo::write`] wrote; of other bytes, as much as makes sense.
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
            known.insert(key, Finding { bytes: value.into(), is_used: false, is_new: false });
            rest = tail;
        }
        Memo { known, is_broken: !rest.is_empty() }
    }

    /// How to keep it. New findings are appended, so that one changed file costs one finding; when most of what is there
    /// was not used, what was used replaces it.
    pub fn keep(&self) -> Keep {
        if !self.known.values().any(|finding| finding.is_new) {
            return Keep::AsItIs;
        }
        let n_used = self.known.values().filter(|finding| finding.is_used).count();
        if self.is_broken || self.known.len() > 2 * n_used || self.known.values().all(|finding| finding.is_new) {
            Keep::Replace
        } else {
            Keep::Append
        }
    }

    /// Writes the findings that are to be kept so.
    ///
    /// # Errors
    /// As the writer says.
    pub fn write(&self, keep: Keep, out: &mut dyn io::Write) -> io::Result<()> {
        let wanted = |finding: &Finding| match keep {
            Keep::AsItIs => false,
            Keep::Append => finding.is_new,
            Keep::Replace => finding.is_used,
        };
        for (key, finding) in self.known.iter().filter(|(_, finding)| wanted(finding)) {
            out.write_all(key)?;
            out.write_all(&(finding.bytes.len() as u64).to_le_bytes())?;
            out.write_all(&finding.bytes)?;
        }
        Ok(())
    }

    /// What is known under a key.
    pub fn find(&mut self, key: &Key) -> Option<&[u8]> {
        let finding = self.known.get_mut(key)?;
        finding.is_used = true;
        Some(&finding.bytes)
    }

    pub fn remember(&mut self, key: Key, bytes: Vec<u8>) {
        self.known.insert(key, Finding { bytes: bytes.into(), is_used: true, is_new: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(memo: &Memo, keep: Keep) -> Vec<u8> {
        assert_eq!(memo.keep(), keep);
        let mut bytes = Vec::new();
        memo.write(keep, &mut bytes).expect("a Vec takes all");
        bytes
    }

    #[test]
    fn new_findings_are_appended_and_broken_bytes_replaced() {
        let mut memo = Memo::default();
        memo.remember(key(&["a"]), b"one".to_vec());
        let mut bytes = written(&memo, Keep::Replace);

        let mut again = Memo::from_bytes(&bytes);
        assert_eq!(again.find(&key(&["a"])), Some(&b"one"[..]));
        assert_eq!(again.keep(), Keep::AsItIs);
        again.remember(key(&["a", ""]), b"two".to_vec());
        bytes.extend(written(&again, Keep::Append));
        let mut both = Memo::from_bytes(&bytes);
        assert_eq!(both.find(&key(&["a"])), Some(&b"one"[..]));
        assert_eq!(both.find(&key(&["a", ""])), Some(&b"two"[..]));

        let mut cut = Memo::from_bytes(&bytes[..bytes.len() - 1]);
        assert_eq!(cut.find(&key(&["a", ""])), None);
        cut.remember(key(&["b"]), b"three".to_vec());
        assert_eq!(Memo::from_bytes(&written(&cut, Keep::Replace)).find(&key(&["b"])), Some(&b"three"[..]));
    }
}
