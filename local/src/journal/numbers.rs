//! Counts the last five minutes: received and delivered messages, delivery times, and failures.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

/// The seconds that are counted.
const SECONDS: usize = 300;

/// The most delivery times kept of a second, which are enough for the percentiles.
const TIMES_A_SECOND: usize = 200;

/// The counts.
#[derive(Debug, Default)]
pub struct Numbers {
    seconds: VecDeque<Second>,
}

#[derive(Debug, Default)]
struct Second {
    /// Unix time in seconds.
    at: i64,
    received: u32,
    delivered: u32,
    milliseconds: Vec<u64>,
    failures: BTreeMap<&'static str, u32>,
}

impl Numbers {
    /// Counts received messages.
    pub fn received(&mut self, now: Timestamp, count: u32) {
        self.second(now).received += count;
    }

    /// Counts a message that a destination accepted this long after its receipt.
    pub fn delivered(&mut self, now: Timestamp, after: Option<Duration>) {
        let second = self.second(now);
        second.delivered += 1;
        if let Some(after) = after.filter(|_| second.milliseconds.len() < TIMES_A_SECOND) {
            second.milliseconds.push(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Counts a failed attempt.
    pub fn failed(&mut self, now: Timestamp, code: &'static str) {
        *self.second(now).failures.entry(code).or_default() += 1;
    }

    /// Returns the JSON for the page. `in` and `out` have one number a second, the current second last.
    pub fn as_json(&self, now: Timestamp) -> Value {
        let last = now.as_second();
        let first = last - SECONDS as i64 + 1;
        let (mut received, mut delivered) = (vec![0; SECONDS], vec![0; SECONDS]);
        let (mut times, mut failures) = (Vec::new(), BTreeMap::<&str, u32>::new());
        for second in &self.seconds {
            let Some(index) = usize::try_from(second.at - first).ok().filter(|index| *index < SECONDS) else {
                continue;
            };
            (received[index], delivered[index]) = (second.received, second.delivered);
            times.extend(&second.milliseconds);
            second.failures.iter().for_each(|(code, count)| *failures.entry(code).or_default() += count);
        }
        let mut failures: Vec<(&str, u32)> = failures.into_iter().collect();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let failures: Vec<Value> =
            failures.into_iter().map(|(reason, count)| json!({"reason": reason, "count": count})).collect();
        json!({"in": received, "out": delivered, "failures": failures, "times": percentiles(times)})
    }

    fn second(&mut self, now: Timestamp) -> &mut Second {
        let at = now.as_second();
        // After the clock was set back, the last known second counts on.
        if self.seconds.back().is_none_or(|last| last.at < at) {
            self.seconds.push_back(Second { at, ..Second::default() });
            if self.seconds.len() > SECONDS {
                self.seconds.pop_front();
            }
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }
}

fn percentiles(mut times: Vec<u64>) -> Value {
    times.sort_unstable();
    let of = |hundredths: usize| times.get((times.len() * hundredths).div_ceil(100).saturating_sub(1));
    match (of(50), of(99)) {
        (Some(p50), Some(p99)) => json!({"p50": p50, "p99": p99, "count": times.len()}),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_second_has_its_place_and_the_current_one_is_last() {
        let mut numbers = Numbers::default();
        numbers.received(at(1_000), 3);
        numbers.received(at(1_002), 2);
        numbers.delivered(at(1_002), None);
        let json = numbers.as_json(at(1_003));
        assert_eq!(json["in"].as_array().unwrap()[296..], [json!(3), json!(0), json!(2), json!(0)]);
        assert_eq!(
            (&json["out"][298], &json["out"][299], &json["times"]),
            (&json!(1), &json!(0), &Value::Null)
        );
        let later = numbers.as_json(at(1_301));
        assert_eq!((&later["in"][0], &later["in"][1]), (&json!(2), &json!(0)), "of 300 seconds");
    }

    #[test]
    fn percentiles_are_of_deliveries_and_failures_count_by_reason() {
        let mut numbers = Numbers::default();
        (1..=100).for_each(|ms| numbers.delivered(at(10), Some(Duration::from_millis(ms))));
        numbers.failed(at(10), "timeout");
        numbers.failed(at(11), "server_error");
        numbers.failed(at(11), "server_error");
        let json = numbers.as_json(at(11));
        assert_eq!(json["times"], json!({"p50": 50, "p99": 99, "count": 100}));
        let expected = json!([{"reason": "server_error", "count": 2}, {"reason": "timeout", "count": 1}]);
        assert_eq!(json["failures"], expected);
        assert_eq!(percentiles(vec![7]), json!({"p50": 7, "p99": 7, "count": 1}));
    }
}
