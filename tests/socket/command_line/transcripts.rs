//! What people read, word for word. Ids, times and folders are taken out, for they differ each time.

use crate::command_line::ground::Ground;

/// The text with what differs each time replaced.
fn plain(text: &str, ground: &Ground) -> String {
    let folder = ground.folder.path().to_str().unwrap();
    let text = text.replace(folder, "FOLDER");
    let lines = text.lines().map(|line| {
        let words = line.split_inclusive(' ');
        without_times(&words.map(plain_word).collect::<String>())
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// A line of the steps without how long they took.
fn without_times(line: &str) -> String {
    if let Some((before, after)) = line.split_once("  TOOK ") {
        // The column is as wide as the longest time.
        return format!("{before}  TOOK  {}", after.trim_start());
    }
    let Some((before, after)) = line.split_once(" ms") else {
        return line.to_owned();
    };
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit());
    let after = after.trim_start();
    format!("{before}TOOK  {after}").trim_end().to_owned()
}

fn plain_word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_id = bare.len() == 36 && bare.matches('-').count() == 4;
    let is_date = bare.len() == 10 && bare.matches('-').count() == 2 && bare.starts_with("20");
    let is_clock = bare.len() == 8 && bare.matches(':').count() == 2;
    match (is_id, is_date, is_clock) {
        (true, ..) => word.replace(bare, "........-....-....-....-............"),
        (_, true, _) => word.replace(bare, "YYYY-MM-DD"),
        (.., true) => word.replace(bare, "HH:MM:SS"),
        _ => word.to_owned(),
    }
}

#[track_caller]
fn assert_said(ground: &Ground, said: &str, golden: &str) {
    let said = plain(said, ground);
    assert!(said == golden, "it said\n{said}\nand should say\n{golden}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_where_all_is_well() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Ok(())).await;
    let status = ground.run(&["status"]).await;
    assert_said(&ground, &status.out, include_str!("golden/well.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_where_a_person_is_needed_and_the_rotation_that_needs_one() {
    let ground = Ground::new().await;
    let _anna = ground.worker("anna", || Ok(())).await;
    let _ben = ground
        .worker("ben\u{202e} the 2nd", || Err("the disk\n is full"))
        .await;
    drop(ground.worker("cleo", || Ok(())).await);
    let (id, rotated) = ground.rotate().await;
    assert_said(&ground, &rotated.out, include_str!("golden/rotated.txt"));
    let show = ground.run(&["show", &id]).await;
    let without_times = show
        .out
        .lines()
        .filter(|line| !line.contains("ago") && !line.contains(" by user "));
    let without_times =
        without_times.filter(|line| !line.starts_with("declared") && !line.starts_with("ended"));
    assert_said(
        &ground,
        &without_times.collect::<Vec<_>>().join("\n"),
        include_str!("golden/stopped.txt"),
    );
    let status = ground.run(&["status"]).await;
    let needs = status.out.split("\n\nKEY").next().unwrap();
    assert_said(&ground, needs, include_str!("golden/needed.txt"));
}
