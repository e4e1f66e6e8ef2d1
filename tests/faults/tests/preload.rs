//! The faults themselves, tested with programs that every Linux has.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

use std::{
    fs,
    process::{Command, Output},
};

use faults::{Event, Faults, errno};

/// Runs a shell command in the directory with the faults.
fn run(faults: &Faults, directory: &tempfile::TempDir, line: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("store", directory.path()).env("LC_ALL", "C");
    faults.preload(&mut command);
    command.output().unwrap()
}

fn trial() -> (tempfile::TempDir, Faults) {
    let directory = tempfile::tempdir().unwrap();
    let faults = Faults::recorded(directory.path());
    (directory, faults)
}

fn fails_with(output: &Output, error: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(error), "{said}");
}

#[test]
fn without_a_fault_everything_is_as_usual() {
    let (directory, faults) = trial();
    let output = run(&faults, &directory, "echo one > $store/a; echo two >> $store/a; cat $store/a");
    assert_eq!(output.stdout, b"one\ntwo\n", "{output:?}");
}

#[test]
fn a_full_disk_takes_the_bytes_that_fit_and_has_room_again_after_a_removal() {
    let (directory, faults) = trial();
    fs::write(directory.path().join("old"), [0; 1_000]).unwrap();
    faults.leave_room(500);
    let copy = "dd if=/dev/zero of=$store/new bs=800 count=1 conv=notrunc status=none";
    fails_with(&run(&faults, &directory, copy), "No space left on device");
    assert_eq!(faults.used(), 1_500);
    let overwrite = "dd if=/dev/zero of=$store/old bs=1000 count=1 conv=notrunc status=none";
    assert!(run(&faults, &directory, overwrite).status.success(), "what does not grow needs no room");
    assert!(run(&faults, &directory, "rm $store/old").status.success());
    assert!(run(&faults, &directory, copy).status.success());
    faults.disk_is_full();
    fails_with(&run(&faults, &directory, "truncate -s 9000 $store/new"), "No space left on device");
    faults.end();
    assert!(run(&faults, &directory, "truncate -s 9000 $store/new").status.success());
}

#[test]
fn writes_syncs_truncates_and_opens_fail_as_planned() {
    let (directory, faults) = trial();
    fs::write(directory.path().join("a"), "old").unwrap();
    let write = "dd if=/dev/zero of=$store/a bs=1 count=1 conv=notrunc status=none";
    faults.fail_writes(Some(errno::EDQUOT));
    fails_with(&run(&faults, &directory, write), "quota exceeded");
    faults.end();
    faults.fail_opens(Some(errno::EROFS));
    fails_with(&run(&faults, &directory, write), "Read-only file system");
    faults.end();
    faults.fail_syncs(Some(errno::EIO));
    fails_with(&run(&faults, &directory, "sync $store/a"), "Input/output error");
    fails_with(&run(&faults, &directory, "sync $store"), "Input/output error");
    faults.end();
    faults.fail_truncates(Some(errno::EIO));
    fails_with(&run(&faults, &directory, "truncate -s 1 $store/a"), "Input/output error");
    faults.end();
    assert!(run(&faults, &directory, write).status.success());
}

#[test]
fn a_short_write_is_the_first_half() {
    let (directory, faults) = trial();
    faults.short_writes(true);
    run(&faults, &directory, "dd if=/dev/zero of=$store/a bs=64 count=1 status=none");
    let lengths: Vec<_> = faults.record().events.into_iter().filter_map(written).collect();
    assert_eq!(lengths[0], (0, 32));
    assert_eq!(fs::read(directory.path().join("a")).unwrap().len(), 64, "dd writes the rest");
}

fn written(event: Event) -> Option<(u64, usize)> {
    match event {
        Event::Written { offset, bytes, .. } => Some((offset, bytes.len())),
        _ => None,
    }
}

#[test]
fn the_wall_clock_is_shifted_both_ways() {
    let (directory, faults) = trial();
    let date = |shift: i64| {
        faults.shift_clock(shift);
        let output = run(&faults, &directory, "date +%s");
        String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
    };
    let now = date(0);
    for shift in [5 * 3_600, -21 * 86_400] {
        let off = date(shift * 1_000) - now - shift;
        assert!((0..60).contains(&off), "{off}");
    }
}

#[test]
fn the_record_has_everything_in_order() {
    let (directory, faults) = trial();
    run(&faults, &directory, "dd if=/dev/zero of=$store/a bs=3 count=2 conv=fsync status=none");
    run(&faults, &directory, "truncate -s 4 $store/a; sync $store; mv $store/a $store/b; rm $store/b");
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    let write = |offset| Event::Written { file: a(), offset, bytes: vec![0; 3] };
    let mut events = faults.record().events;
    // dd also truncates the new file.
    events.retain(|event| !matches!(event, Event::Truncated { length: 0, .. } | Event::Started));
    let expected = [
        Event::Created { file: a() },
        write(0),
        write(3),
        Event::Synced { file: a() },
        Event::Truncated { file: a(), length: 4 },
        Event::Synced { file: String::new() },
        Event::Renamed { file: a(), to: b() },
        Event::Removed { file: b() },
    ];
    assert_eq!(events, expected);
}
