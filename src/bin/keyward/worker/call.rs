//! One call of a callback that is a command: what it is given, and how its end is read.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use keyward::{
    CommandLine, Effect, KeyChange, Scrubber, SecretKeyPair, SecretKeyValue, StoreError,
};
use serde_json::json;

/// The command is killed so long before the call's limit, so that what it said until then can be told.
const TELLING: Duration = Duration::from_millis(250);

/// What the last line begins with that tells the effect.
const EFFECT: &[u8] = b"effect:";

/// Runs the command for a change that came in at that moment.
///
/// # Errors
/// Why the callback has failed, in a text that quotes none of the change's keys.
pub async fn call(
    command: &CommandLine,
    change: &KeyChange,
    since: Instant,
) -> Result<Effect, String> {
    let limit = change.key.time_limit();
    let own = limit.saturating_sub(TELLING.min(limit / 10));
    let left = own.saturating_sub(since.elapsed());
    let ended = command.run(input(change), left).await;
    let said = ended.map_err(|error| match error {
        StoreError::TimedOut {
            program, stderr, ..
        } => StoreError::TimedOut {
            program,
            limit,
            stderr,
        },
        other => other,
    });
    match said {
        Ok(last_line) => effect(last_line.expose()),
        Err(error) => {
            let pairs = [&change.old_keys, &change.new_keys].into_iter().flatten();
            let keys = pairs.flat_map(|pair| [pair.forward().clone(), pair.back().clone()]);
            Err(error.described(&Scrubber::new(keys)))
        }
    }
}

/// The change as one line of JSON. Values are base64, `null` stands for keys that are not known.
fn input(change: &KeyChange) -> SecretKeyValue {
    let key = &change.key;
    let head = format!(
        r#"{{"rotation":{},"key":{},"worker":{},"attempt":{},"old":"#,
        json!(key.rotation_id().to_string()),
        json!(key.name()),
        json!(key.worker()),
        key.attempt(),
    );
    let (old, new) = (change.old_keys.as_ref(), change.new_keys.as_ref());
    // In one buffer of full size: growth would leave copies of keys.
    let room = [head.len(), room(old), room(new), 16].iter().sum();
    let mut text = Vec::with_capacity(room);
    text.extend_from_slice(head.as_bytes());
    push(&mut text, old);
    text.extend_from_slice(br#","new":"#);
    push(&mut text, new);
    text.extend_from_slice(b"}\n");
    SecretKeyValue::new(text)
}

fn room(keys: Option<&SecretKeyPair>) -> usize {
    let value = |value: &SecretKeyValue| BASE64.encode_len(value.expose().len());
    let pair = |pair: &SecretKeyPair| value(pair.forward()) + value(pair.back());
    keys.map_or(0, pair) + 32
}

fn push(text: &mut Vec<u8>, keys: Option<&SecretKeyPair>) {
    let Some(keys) = keys else {
        return text.extend_from_slice(b"null");
    };
    for (name, value) in [
        (&br#"{"forward":""#[..], keys.forward()),
        (br#"","back":""#, keys.back()),
    ] {
        text.extend_from_slice(name);
        let begin = text.len();
        text.resize(begin + BASE64.encode_len(value.expose().len()), 0);
        BASE64.encode_mut(value.expose(), &mut text[begin..]);
    }
    text.extend_from_slice(br#""}"#);
}

/// The effect that the last line of the output tells; nothing if it tells none.
fn effect(last_line: &[u8]) -> Result<Effect, String> {
    let Some(effect) = last_line.strip_prefix(EFFECT) else {
        return Ok(Effect::Nothing);
    };
    match effect.trim_ascii() {
        b"nothing" => Ok(Effect::Nothing),
        b"decrypted" => Ok(Effect::Decrypted),
        b"reencrypted" => Ok(Effect::Reencrypted),
        _ => Err(
            "the command's last line names an effect that there is not; it may say effect: nothing, \
             effect: decrypted or effect: reencrypted"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_the_effect() {
        for (line, expected) in [
            ("", Effect::Nothing),
            ("done", Effect::Nothing),
            ("the effect: reencrypted", Effect::Nothing),
            ("effect: nothing", Effect::Nothing),
            ("effect: decrypted", Effect::Decrypted),
            ("effect:reencrypted \r", Effect::Reencrypted),
        ] {
            assert_eq!(effect(line.as_bytes()), Ok(expected), "{line}");
        }
        for wrong in ["effect:", "effect: Reencrypted", "effect: a secret"] {
            let failed = effect(wrong.as_bytes()).unwrap_err();
            assert!(!failed.contains("a secret"), "{failed}");
        }
    }

    #[test]
    fn a_pair_is_written_into_its_room() {
        let pair = SecretKeyPair::new("one", [0xfb, 0xff].as_slice());
        let mut text = Vec::with_capacity(room(Some(&pair)));
        let begin = text.as_ptr();
        push(&mut text, Some(&pair));
        assert_eq!(text, br#"{"forward":"b25l","back":"+/8="}"#);
        assert_eq!(begin, text.as_ptr());
    }
}
