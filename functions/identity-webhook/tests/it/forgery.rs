//! Properties of every forged proof.

use bytes::Bytes;
use proptest::{prelude::*, sample::Index};

use crate::support::{HEADER, SECRET, Webhook, request, sample_body, signed, with_header};

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn a_damaged_token_is_never_accepted(
        changes in prop::collection::vec((any::<Index>(), "[A-Za-z0-9_.=-]", 0..3_u8), 1..4),
    ) {
        let body = sample_body("user.login.success");
        let genuine = signed(body.clone()).headers()[HEADER].to_str().unwrap().to_owned();
        let mut token = genuine.clone();
        for (at, character, how) in changes {
            let at = at.index(token.len());
            match how {
                0 => token.replace_range(at..=at, &character),
                1 => token.insert_str(at, &character),
                _ => token.truncate(at.max(1)),
            }
        }
        prop_assume!(token != genuine);
        let webhook = Webhook::signed();
        prop_assert_eq!(block_on(webhook.send(with_header(request(body), HEADER, &token))).0, 401);
        prop_assert!(webhook.topic.bodies().is_empty());
    }

    #[test]
    fn any_header_and_any_body_without_the_secret_are_refused(
        header in "[ -~]{0,300}",
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        prop_assume!(!header.contains(SECRET));
        let webhook = Webhook::signed();
        let request = with_header(request(Bytes::from(body)), HEADER, &header);
        prop_assert_eq!(block_on(webhook.send(request)).0, 401);
    }
}
