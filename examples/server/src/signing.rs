//! The key in memory, and its callback.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use keyward::{KeyChange, SecretKeyFlow, SecretKeyValue, Worker};
use sha2::Sha256;

/// Signs with the key `token`, whichever it is now.
pub struct Signing {
    key: Arc<RwLock<Option<SecretKeyValue>>>,
}

impl Signing {
    /// Registers the callback first, and gets the key then: a change in between is not missed.
    pub async fn with_key_of(web: &Worker) -> Result<Self, Box<dyn Error>> {
        let key = Arc::new(RwLock::new(None));
        let changed = Arc::clone(&key);
        let load = move |change: KeyChange| {
            let new = change.new_keys.ok_or("the change has no new key")?;
            *changed.write().unwrap_or_else(PoisonError::into_inner) = Some(new.forward().clone());
            Ok::<(), &str>(())
        };
        web.register_in_memory("token", "load", load).await?;
        let got = web.get_key_on("token", SecretKeyFlow::Default).await?;
        key.write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(got.value);
        web.ready().await?;
        Ok(Self { key })
    }

    /// The signature of a text, in hex.
    pub fn sign(&self, text: &str) -> String {
        let key = self.key.read().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = &*key else {
            return String::new();
        };
        // A key of any length is one of HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else {
            return String::new();
        };
        mac.update(text.as_bytes());
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}
