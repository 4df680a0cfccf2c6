//! Keyed fingerprints of declared keys: they decide what was declared after the keys are gone.

use crate::crypto::fingerprint::Fingerprinter;
use crate::key::name::KeyName;
use crate::rotation::plan::{Declared, Fingerprint, Header};
use crate::secret::value::SecretKeyPair;

const FORWARD: &str = "key/forward";
const BACK: &str = "key/back";

/// Makes the fingerprints of a database. A clone shares the key, and may be used on any thread.
///
/// The same half of the same key has the same fingerprint, whether it is an old one, a new one or
/// a store's answer; other keys and other databases have others.
#[derive(Debug, Clone)]
pub struct KeyFingerprints {
    tool: Fingerprinter,
}

impl KeyFingerprints {
    pub(super) fn new(tool: Fingerprinter) -> Self {
        Self { tool }
    }

    /// The fingerprints of the forward and the back half of a key's pair.
    pub fn of(&self, key: &KeyName, pair: &SecretKeyPair) -> [Fingerprint; 2] {
        let name = key.as_str().as_bytes();
        let half = |domain, value: &[u8]| self.tool.fingerprint(domain, &[name, value]);
        [
            half(FORWARD, pair.forward().expose()),
            half(BACK, pair.back().expose()),
        ]
    }

    /// The fingerprints of the keys that a rotation has: what was declared, and old keys that were
    /// not, for these are what the store may answer until it switches.
    pub fn of_keys(&self, header: &Header, old: Option<&SecretKeyPair>) -> Declared {
        let Declared { old: declared, new } = header.declared;
        let old = declared.or_else(|| old.map(|old| self.of(&header.key, old)));
        Declared { old, new }
    }

    /// The fingerprints of a declaration as it was made.
    pub fn declared(
        &self,
        key: &KeyName,
        old: Option<&SecretKeyPair>,
        new: Option<&SecretKeyPair>,
    ) -> Declared {
        Declared {
            old: old.map(|pair| self.of(key, pair)),
            new: new.map(|pair| self.of(key, pair)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::value::SecretKeyValue;

    #[test]
    fn a_half_has_one_fingerprint_in_both_roles_and_another_in_the_other_half_or_key() {
        let tool = Fingerprinter::from_key(&SecretKeyValue::from([5; 32])).unwrap();
        let prints = KeyFingerprints::new(tool);
        let key = KeyName::new("k").unwrap();
        let pair = SecretKeyPair::of("same");
        let declared = prints.declared(&key, Some(&pair), Some(&pair));
        assert_eq!(declared.old, declared.new);
        let [forward, back] = prints.of(&key, &pair);
        assert_ne!(forward, back);
        let mixed = prints.of(&key, &SecretKeyPair::new("same", "other"));
        assert_eq!(mixed[0], forward);
        assert_ne!(mixed[1], back);
        assert_ne!(prints.of(&KeyName::new("l").unwrap(), &pair)[0], forward);
        assert_eq!(prints.declared(&key, None, None), Declared::default());
    }

    #[test]
    fn the_fingerprints_have_not_changed() {
        let tool = Fingerprinter::from_key(&SecretKeyValue::from([5; 32])).unwrap();
        let key = KeyName::new("golden").unwrap();
        let [forward, back] = KeyFingerprints::new(tool).of(&key, &SecretKeyPair::new("f", "b"));
        let hex = |print: Fingerprint| data_encoding::HEXLOWER.encode(&print);
        assert_eq!(
            hex(forward),
            "7ba5891c33dd7a32a37b755f49be31c704dc0c760a72df393acc0ef19f00c5e8"
        );
        assert_eq!(
            hex(back),
            "29ad81d2f737325e35df3915263f1106bba3fc13831de8a3b234ccaf8959d68e"
        );
    }
}
