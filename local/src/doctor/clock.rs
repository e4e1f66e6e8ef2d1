//! Whether this machine's clock is right: signatures of webhooks expire, and Segment shifts times by what it sees.

use super::finding::Finding;

const CHECK: &str = "clock";

/// From here on times in Segment are noticeably wrong, in seconds.
const NOTICEABLE: u64 = 30;

/// From here on webhooks that are signed with a time are refused, in seconds (Standard Webhooks: five minutes).
const TOLERANCE: u64 = 5 * 60;

/// When no server says what time it is.
pub fn nothing_to_compare() -> Finding {
    Finding::skipped(CHECK, "no server of Segment said what time it is")
}

/// By how many seconds the other clock is ahead, if its server said so.
pub fn judged(skew: Option<i64>) -> Finding {
    let Some(skew) = skew else { return nothing_to_compare() };
    let off = skew.unsigned_abs();
    let found = format!("this machine's clock is {off} s {}", if skew > 0 { "behind" } else { "ahead" });
    let fix = "let it be set over the network (NTP): systemctl status systemd-timesyncd, or chronyc tracking";
    match off {
        _ if off <= NOTICEABLE => Finding::ok(CHECK, format!("within {NOTICEABLE} s of the endpoint's")),
        _ if off <= TOLERANCE => {
            Finding::warning(CHECK, format!("{found}; times in Segment are wrong by that"), fix)
        }
        _ => {
            Finding::problem(CHECK, format!("{found}; webhooks that are signed with a time are refused"), fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Status;

    #[test]
    fn a_clock_is_right_within_half_a_minute_and_useless_after_five() {
        for (skew, expected) in [
            (Some(0), Status::Ok),
            (Some(-30), Status::Ok),
            (Some(31), Status::Warning),
            (Some(-300), Status::Warning),
            (Some(301), Status::Problem),
            (Some(i64::MIN), Status::Problem),
            (None, Status::Skipped),
        ] {
            assert_eq!(judged(skew).status, expected, "{skew:?}");
        }
        assert!(judged(Some(40)).found.contains("40 s behind"));
        assert!(judged(Some(-40)).found.contains("40 s ahead"));
    }
}
