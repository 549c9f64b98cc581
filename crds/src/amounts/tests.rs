//! Amounts: exact, bounded, and the same after a round trip.

use super::*;
use crate::Resources;
use proptest::prelude::*;

fn parse(s: &str, r: &'static str) -> Result<i128, AmountError> {
    Amount::from(s).parse(r)
}

#[test]
fn quantities_are_exact() {
    assert_eq!(parse("64", "cpu"), Ok(64_000));
    assert_eq!(parse("0.5", "cpu"), Ok(500));
    assert_eq!(parse("1500m", "cpu"), Ok(1_500));
    assert_eq!(parse("527343750Ki", "memory"), Ok(540_000_000_000));
    assert_eq!(parse("3500T", "storage"), Ok(3_500_000_000_000_000));
    assert_eq!(parse("1.5Gi", "memory"), Ok(1_610_612_736));
    assert_eq!(parse("1e3", "accelerators"), Ok(1000));
    assert_eq!(parse("3E", "storage"), Ok(3_000_000_000_000_000_000));
}

#[test]
fn bad_quantities_are_refused_in_words() {
    assert!(matches!(parse("0.0001", "cpu"), Err(AmountError::TooFine { .. })));
    assert!(matches!(parse("0.5", "accelerators"), Err(AmountError::TooFine { .. })));
    assert!(matches!(parse("-1", "cpu"), Err(AmountError::Negative(_))));
    assert!(matches!(parse("1e30", "cpu"), Err(AmountError::TooLarge(_))));
    assert!(matches!(
        parse("9223372036854775808", "memory"),
        Err(AmountError::TooLarge(_))
    ));
    for s in ["", "m", "abc", "1 2", "0x10", "１", "--1", "1e99"] {
        assert!(parse(s, "cpu").is_err(), "{s}");
    }
    let unknown = Amounts([("gpus".to_owned(), Amount::from("1"))].into_iter().collect());
    assert!(matches!(
        Resources::try_from(&unknown),
        Err(AmountError::UnknownResource(_))
    ));
}

#[test]
fn amounts_are_an_object_even_where_there_is_none() {
    for text in ["{}", r#"{"cpu":"2","memory":"8Gi"}"#] {
        let read: Amounts = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(
            serde_json::to_value(&read).unwrap(),
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }
}

proptest! {
    #[test]
    fn printing_and_parsing_agree(cpu in 0i64.., memory in 0i64.., cards in 0i64..) {
        let r = Resources { cpu: cpu.into(), memory: memory.into(), storage: 0, accelerators: cards.into() };
        prop_assert_eq!(Resources::try_from(&r.to_amounts()), Ok(r));
    }
}
