//! The files: their permissions, their content after a delete, and whether they are still the ones that were
//! opened.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use platform::{
    sqlite::{Condition, FILE, Refusal, Store, StoreError, Subscription},
    topic::{Publication, Topic},
};

use crate::support::{Fixture, MINUTE, ids};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn only_its_user_may_look_into_the_data_directory() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("made/by/segue");
    let clock = platform::clock::SteadyClock::shared();
    for existing in [false, true] {
        if existing {
            fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
            for file in files(&directory) {
                fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
            }
        }
        let store = Store::open(&directory, clock.clone()).unwrap();
        store.run(|connection| connection.execute("DELETE FROM message", [])).await.unwrap();
        assert_eq!(mode(&directory), 0o700);
        let files = files(&directory);
        assert!(files.len() >= 3 && files.iter().all(|file| mode(file) == 0o600), "{files:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_folder_with_other_things_in_it_stays_as_open_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("notes.txt"), "for all").unwrap();
    let _store = Store::open(folder.path(), platform::clock::SteadyClock::shared()).unwrap();
    assert_eq!(mode(folder.path()), 0o755);
    assert_eq!(mode(&folder.path().join(FILE)), 0o600);
}

/// Whether any file of the store contains these bytes.
fn is_readable(directory: &Path, content: &str) -> bool {
    let has = |file: PathBuf| {
        fs::read(file).unwrap().windows(content.len()).any(|bytes| bytes == content.as_bytes())
    };
    files(directory).into_iter().any(has)
}

#[tokio::test]
async fn delivered_content_is_in_no_file_after_a_stop_or_ten_seconds_without_work() {
    let fixture = Fixture::new();
    let queue = fixture.queue();
    // The long text needs separate pages.
    let (short, long) = ("ada@example.com".to_owned(), "grace@example.com".repeat(1_000));
    for stop in [false, true] {
        fixture.publish(&[&short, &long]).await;
        assert!(is_readable(fixture.directory.path(), "ada@"));
        assert!(is_readable(fixture.directory.path(), "grace@"));
        let received = queue.receive(2, MINUTE).await.unwrap();
        queue.delete(ids(&received)).await.unwrap();
        if stop {
            fixture.store.close().await;
            assert!(!is_readable(fixture.directory.path(), "@example.com"));
            return;
        }
        let gone = async {
            while is_readable(fixture.directory.path(), "@example.com") {
                // A consumer polls again and again, which does not count as work.
                assert!(queue.receive(9, MINUTE).await.unwrap().is_empty());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.expect("it is still readable");
    }
}

async fn publish(store: &Store) -> Result<(), String> {
    let topic = store.topic(vec![Subscription { queue: "segment", wants: |_| true }]);
    let one = Publication { body: "a".to_owned(), attributes: [].into() };
    topic.publish(vec![one]).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn nothing_is_accepted_into_files_that_a_restart_would_not_find() {
    type Change = fn(&Path, &Path);
    let changes: [(&str, Change); 4] = [
        ("the directory was moved", |directory, aside| fs::rename(directory, aside).unwrap()),
        ("it was replaced by a copy", |directory, aside| {
            fs::rename(directory, aside).unwrap();
            fs::create_dir(directory).unwrap();
            for file in files(aside) {
                fs::copy(&file, directory.join(file.file_name().unwrap())).unwrap();
            }
        }),
        ("the database was removed", |directory, _| fs::remove_file(directory.join(FILE)).unwrap()),
        ("its log was removed", |directory, _| {
            fs::remove_file(directory.join(format!("{FILE}-wal"))).unwrap();
        }),
    ];
    for (name, change) in changes {
        let home = tempfile::tempdir().unwrap();
        let (directory, aside) = (home.path().join("data"), home.path().join("aside"));
        let store = Store::open(&directory, platform::clock::SteadyClock::shared()).unwrap();
        publish(&store).await.unwrap();
        change(&directory, &aside);
        assert!(publish(&store).await.is_err(), "{name}");
        assert!(matches!(store.condition(), Condition::Refusing(Refusal::Moved)), "{name}");
        assert!(matches!(store.accept(|_| Ok(())).await, Err(StoreError::Refused(Refusal::Moved))), "{name}");
        // Messages that were accepted earlier are only here, and are still delivered.
        let received = store.queue("segment").receive(9, MINUTE).await.unwrap();
        assert!(!received.is_empty(), "{name}");
        store.queue("segment").delete(ids(&received)).await.unwrap();
        if aside.exists() {
            let _ = fs::remove_dir_all(&directory);
            fs::rename(&aside, &directory).unwrap();
            let accepted = async {
                while publish(&store).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), accepted).await.expect("it was put back");
        }
    }
}
