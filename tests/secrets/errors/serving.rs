//! What serving a manager over a socket is refused with.

use std::fs;
use std::io;

use keyward::{
    Grant, InvalidGrant, ReloadError, Reloaded, Right, ServeBounds, ServeError, ServeOptions,
};

use crate::canary::PRINTED;
use crate::errors::Seen;
use crate::story::manager;

pub(super) async fn all(seen: &mut Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = manager(&folder.path().join("data")).await;
    let at = |name: &str| folder.path().join(name);
    let serving = keys.serve(ServeOptions::at(at("s"))).await.expect("served");
    seen.refused("InUse", keys.serve(ServeOptions::at(at("s"))).await);
    fs::write(at("file"), PRINTED).expect("a file");
    for (variant, path) in [
        ("PathTooLong", at(&"s".repeat(108))),
        ("NoFileName", "".into()),
        ("PathIsFolder", folder.path().to_owned()),
        ("PathTaken", at("file")),
        ("NoFolder", at("none/s")),
    ] {
        seen.refused(variant, keys.serve(ServeOptions::at(path)).await);
    }
    let mut bounds = ServeBounds::default();
    bounds.connections = 0;
    let zero = ServeOptions::at(at("t")).bounds(bounds);
    seen.refused("ZeroBound", keys.serve(zero).await);
    of_the_system(seen);
    let blocking = crate::errors::start::where_none_may_block(|| {
        keyward::block_on(keys.serve(ServeOptions::at(at("t")))).map(drop)
    });
    seen.refused("MustNotBlock", blocking);
    seen.refused("None", serving.reload().await);
    let blocking = crate::errors::start::where_none_may_block(|| {
        keyward::block_on(serving.reload()).map(drop)
    });
    seen.refused("MustNotBlock", blocking);
    serving.stop().await;
    for (variant, fails) in [("Refused", false), ("Failed", true)] {
        let read = move || match fails {
            false => Err::<Reloaded, _>("line 3".to_owned()),
            true => panic!("{PRINTED}"),
        };
        let options = ServeOptions::at(at("u")).on_reload(read);
        let serving = keys.serve(options).await.expect("served");
        seen.refused(variant, serving.reload().await);
        serving.stop().await;
    }
    grants(seen);
    keys.shutdown().await.expect("it ends");
    seen.refused("ShutDown", keys.serve(ServeOptions::at(at("s"))).await);
}

fn of_the_system(seen: &mut Seen) {
    let why = "the system gives a test what it asks for; it holds a path and what the system says";
    let (path, cause) = ("/s".into(), io::Error::from_raw_os_error(13));
    let user = 4_711;
    let error = ServeError::NotPermitted { path, user, cause };
    seen.constructed("NotPermitted", error, why);
    let (path, cause) = ("/s".into(), io::Error::from_raw_os_error(5));
    let doing = "making it";
    let error = ServeError::Failed { path, doing, cause };
    seen.constructed("Failed", error, why);
    let error = ServeError::Thread(io::Error::from(io::ErrorKind::WouldBlock));
    seen.constructed("Thread", error, why);
    seen.constructed("Descriptor", ServeError::Descriptor { limit: 3 }, why);
    let passed = "systemd passes nothing to a test; it holds what the system says of a descriptor";
    let said = "it does not listen".to_owned();
    seen.constructed("Passed", ServeError::Passed { why: said }, passed);
    let forked = "the fork test sees it in a child; it holds nothing";
    seen.constructed("Forked", ServeError::from(keyward::Forked), forked);
}

fn grants(seen: &mut Seen) {
    seen.refused("UnknownUser", Grant::of([]).user("nobody of this name"));
    seen.refused("UnknownGroup", Grant::of([]).group("nobody of this name"));
    seen.refused("InvalidPattern", Grant::of([]).key(""));
    seen.refused("UnknownRight", "forwards".parse::<Right>());
    let name = "anna".to_owned();
    let cause = io::Error::from_raw_os_error(5);
    let why = "the system's users can be asked; it holds a name of the configuration";
    let error = InvalidGrant::Unavailable { name, cause };
    seen.constructed("Unavailable", error, why);
    let _all: fn(&ReloadError) -> &'static str = ReloadError::code;
}
