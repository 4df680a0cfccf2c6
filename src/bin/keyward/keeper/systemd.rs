//! What systemd is told. Where it did not start this process, nothing is.

use sd_notify::NotifyState;

use crate::hardening::complain;

/// Keys can be had.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read anew. [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[
            NotifyState::Reloading,
            now,
            NotifyState::Status("reading the configuration anew"),
        ]),
        Err(error) => complain(format_args!("systemd was not told of the reload: {error}")),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("stopping: callbacks are given their time"),
    ]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        complain(format_args!("systemd was not told: {error}"));
    }
}
