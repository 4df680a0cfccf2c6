//! How a call ended in another process, and what its handle staged, as an instance says it.

use crate::key::flow::SecretKeyUseCase;
use crate::key::state;
use crate::rotation::outcome::StepOutcome;
use crate::secret::value::{InvalidKey, SecretKeyValue, SecretKeys};
use crate::wire::calls::effect;
use crate::wire::generated::{Clean, Save, Staged, ended, staged};
use crate::wire::invalid::{InvalidMessage, needed};
use crate::wire::keys::needed_flow;
use crate::worker::call::CallEnd;

/// How a call of a callback of a key of this use case ended, and whether it still runs. What it says of a failure is
/// not scrubbed.
pub fn end(
    outcome: Option<ended::Outcome>,
    use_case: SecretKeyUseCase,
) -> Result<(CallEnd, bool), InvalidMessage> {
    match needed("ended.outcome", outcome)? {
        ended::Outcome::Succeeded(succeeded) => {
            let effect = effect("succeeded.effect", succeeded.effect)?;
            let staged = staged(succeeded.staged, use_case)?;
            let outcome = StepOutcome::Done {
                effect,
                staged: !staged.is_empty(),
            };
            Ok((CallEnd { outcome, staged }, false))
        }
        ended::Outcome::Failed(failed) => Ok((CallEnd::failed(failed.error), failed.still_runs)),
    }
}

/// What a handle staged, checked as the handle itself checks it: it may come from anywhere.
pub fn staged(
    staged: Vec<Staged>,
    use_case: SecretKeyUseCase,
) -> Result<Vec<state::Staged>, InvalidMessage> {
    let one = |staged: Staged| {
        let change = needed("staged.change", staged.change)?;
        Ok(match change {
            staged::Change::LastFlow(number) => {
                let flow = needed_flow("staged.last_flow", number)?;
                if !flow.fits(use_case) {
                    let why = format!("is {flow}, which does not fit a {use_case} key");
                    return Err(InvalidMessage::new("staged.last_flow", why));
                }
                state::Staged::LastFlow(flow)
            }
            staged::Change::PreviousKeys(keys) => {
                let keys = SecretKeys::try_from(keys)?;
                let one_way = use_case == SecretKeyUseCase::OneWayTrip;
                let checked = match keys.check() {
                    Ok(()) if one_way && keys.is_pair() => Err(InvalidKey::PairForOneWay),
                    checked => checked,
                };
                checked.map_err(|why| invalid_key("staged.previous_keys", why))?;
                state::Staged::PreviousKeys(keys.to_pair())
            }
            staged::Change::Clean(Clean {}) => state::Staged::Clean,
            staged::Change::Save(Save { asked }) => {
                let asked = asked.map(SecretKeyValue::from);
                let checked = asked.as_ref().map_or(Ok(()), SecretKeyValue::check);
                checked.map_err(|why| invalid_key("staged.save.asked", why))?;
                state::Staged::Save { asked }
            }
        })
    };
    staged.into_iter().map(one).collect()
}

fn invalid_key(field: &'static str, why: InvalidKey) -> InvalidMessage {
    InvalidMessage::new(field, format!("is refused: {why}"))
}
