//! Tokens: signed with the version of the key that is current here, checked with the version that they carry.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use keyward::{KeyChange, KeyError, SecretKeyFlow, SecretKeyValue, VersionId, Worker};
use sha2::Sha256;

const KEY: &str = "token";

/// A version of the key.
#[derive(Clone)]
struct Version {
    id: VersionId,
    value: SecretKeyValue,
}

/// Signs and checks tokens with the key `token`, which has versions. A token is `KID.TEXT.SIGNATURE`.
pub struct Signing {
    web: Arc<Worker>,
    /// What is signed with; it is there once this is made.
    current: Arc<RwLock<Option<Version>>>,
    /// The versions that tokens were checked with.
    known: RwLock<HashMap<VersionId, SecretKeyValue>>,
}

/// Why a token is not accepted.
pub enum Refused {
    /// No version of the key has signed it.
    Forged,
    /// It could not be asked for; ask again.
    Unknown(KeyError),
}

impl Signing {
    /// Registers the callback that takes up a new version first, and gets the current one then: a change in between is
    /// not missed.
    pub async fn with_key_of(web: Arc<Worker>) -> Result<Self, Box<dyn Error>> {
        let current = Arc::new(RwLock::new(None));
        let changed = Arc::clone(&current);
        let load = move |change: KeyChange| {
            let new = change.new_keys.ok_or("the change has no new key")?;
            let id = change.key.new_version().ok_or("the key has no versions")?;
            let value = new.forward().clone();
            *changed.write().unwrap_or_else(PoisonError::into_inner) = Some(Version { id, value });
            Ok::<(), &str>(())
        };
        web.register_in_memory(KEY, "load", load).await?;
        let got = web.get_key_on(KEY, SecretKeyFlow::Default).await?;
        let id = got.version.ok_or("the key token has no versions")?.id;
        let value = got.value;
        current
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(Version { id, value });
        web.ready().await?;
        let known = RwLock::default();
        Ok(Self {
            web,
            current,
            known,
        })
    }

    /// The id of the version that is signed with.
    pub fn kid(&self) -> String {
        self.version().id.kid()
    }

    /// A token for this text.
    pub fn sign(&self, text: &str) -> String {
        let Version { id, value } = self.version();
        let signed = format!("{}.{}", id.kid(), BASE64URL_NOPAD.encode(text.as_bytes()));
        let signature = mac(&value, &signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    /// The text of a token, whichever version of the key has signed it.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn check(&self, token: &str) -> Result<Vec<u8>, Refused> {
        let parts = || {
            let (signed, signature) = token.rsplit_once('.')?;
            let (kid, text) = signed.split_once('.')?;
            let id = VersionId::from_kid(kid).ok()?;
            let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
            let text = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
            Some((id, signed, text, signature))
        };
        let (id, signed, text, signature) = parts().ok_or(Refused::Forged)?;
        let value = self.value_of(id).await?;
        let checked = mac(&value, signed).verify_slice(&signature);
        checked.map(|()| text).map_err(|_| Refused::Forged)
    }

    async fn value_of(&self, id: VersionId) -> Result<SecretKeyValue, Refused> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known.get(&id) {
            return Ok(value.clone());
        }
        drop(known);
        // It is of another process that has taken up a change already, or of an earlier time; or it is made up.
        let got = self.web.get_version(KEY, id).await;
        let value = got.map_err(|error| match error.is_retriable() {
            true => Refused::Unknown(error),
            false => Refused::Forged,
        })?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(id).or_insert(value.value).clone())
    }

    fn version(&self) -> Version {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().expect("it is there once this is made")
    }
}

fn mac(key: &SecretKeyValue, signed: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose());
    let mut mac = mac.expect("a key of any length is one of HMAC");
    mac.update(signed.as_bytes());
    mac
}
