//! The clock is set while messages wait.

use std::time::Duration;

use jiff::SignedDuration;
use platform::{
    clock::Clock,
    delivery_state::{self, DUE, ENTERED, SINCE},
    queue::{MAX_DELAY, TargetQueue},
};

use crate::support::{Fixture, MINUTE, bodies, reopen, replace};

const JUMPS: [i64; 8] = [5, -5, 3_600, -3_600, 5 * 3_600, -3 * 3_600, 14 * 86_400, -21 * 86_400];

#[tokio::test]
async fn a_message_waits_as_long_as_it_should_however_the_clock_is_set() {
    for jump in JUMPS {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["waits", "in hand", "later"]).await;
        let mut received = queue.receive(3, MINUTE).await.unwrap();
        replace(&queue, vec![received.pop().unwrap()], TargetQueue::Source(MAX_DELAY)).await;
        replace(&queue, vec![received.remove(0)], TargetQueue::Source(MINUTE / 2)).await;
        fixture.clock.set(SignedDuration::from_secs(jump));
        fixture.publish(&["new"]).await;
        assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["new"], "{jump}");
        fixture.clock.advance(MINUTE / 2);
        assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["waits"], "{jump}");
        fixture.clock.advance(MINUTE / 2);
        assert_eq!(bodies(&queue.receive(9, MINUTE).await.unwrap()), ["in hand", "new"], "{jump}");
        fixture.clock.advance(MAX_DELAY);
        assert_eq!(queue.receive(9, MINUTE).await.unwrap().len(), 4, "{jump}");
    }
}

#[tokio::test]
async fn the_clock_that_was_set_moves_the_times_of_all_that_waits_at_the_next_start() {
    for jump in JUMPS {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["a"]).await;
        let mut message = queue.receive(1, MINUTE).await.unwrap().remove(0);
        let began = fixture.clock.steady();
        for name in [SINCE, ENTERED] {
            message.attributes.insert(name.to_owned(), segment::timestamp::format(began));
        }
        let target = delivery_state::postpone(&mut message.attributes, 2 * MAX_DELAY, began);
        replace(&queue, vec![message], target).await;
        fixture.clock.set(SignedDuration::from_secs(jump));
        fixture.clock.advance(MINUTE);
        noticed(&fixture, jump).await;
        let Fixture { directory, clock, store } = fixture;
        drop((queue, store));
        clock.restart();
        let store = reopen(&directory, &clock);
        let waiting = store.queue("segment").fold_waiting(1, Vec::new(), Vec::push).await.unwrap().remove(0);
        let passed = |name: &str| clock.steady().duration_since(waiting.attributes[name].parse().unwrap());
        let minute = SignedDuration::from_mins(1);
        assert_eq!((passed(SINCE), passed(ENTERED)), (minute, minute), "{jump}");
        assert_eq!(passed(DUE), minute - SignedDuration::from_mins(30), "{jump}");
        assert_eq!(waiting.due.duration_since(clock.now()), SignedDuration::from_mins(14), "{jump}");
    }
}

/// The store looks at the clock every second of the machine's time.
async fn noticed(fixture: &Fixture, jump: i64) {
    for _ in 0..500 {
        let moved = "SELECT moved_by FROM clock";
        let moved =
            fixture.store.run(move |connection| connection.query_row(moved, [], |row| row.get::<_, i64>(0)));
        if moved.await.unwrap() == jump * 1_000 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody noticed that the clock was set by {jump} s");
}

#[tokio::test]
async fn a_clock_that_was_set_back_while_nothing_ran_hides_no_message_for_longer_than_a_wait() {
    for hours in [1, 3, 1_000] {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        fixture.publish(&["a", "b"]).await;
        let mut received = queue.receive(2, MINUTE).await.unwrap();
        replace(&queue, vec![received.remove(0)], TargetQueue::Source(MINUTE)).await;
        fixture.clock.set(SignedDuration::from_hours(-hours));
        let Fixture { directory, clock, store } = fixture;
        drop((queue, store));
        clock.restart();
        let store = reopen(&directory, &clock);
        assert_eq!(store.queue("segment").receive(9, MINUTE).await.unwrap().len(), 2, "{hours}");
    }
}
