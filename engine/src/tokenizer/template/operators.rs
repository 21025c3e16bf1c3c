//! Operators of Python on values: `+`, `*` and slices, charged against the budget of a rendering.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::bounded::Budget;

/// What an item of a list counts.
const ITEM_BYTES: usize = 32;

/// `+`: numbers, texts, lists.
pub(super) fn add(budget: &Budget, a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        return budget.value(format_args!("{a}{b}"));
    }
    if let Some(sum) = arithmetic(a, b, i64::checked_add, |a, b| a + b) {
        return sum;
    }
    let is_list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if is_list(a) && is_list(b) {
        let items = a.try_iter()?.chain(b.try_iter()?);
        return items.map(|item| budget.charge(ITEM_BYTES).map(|()| item)).collect();
    }
    Err(mismatch("+", a, b))
}

/// `*`: numbers, or a text and how often.
pub(super) fn multiply(budget: &Budget, a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(product) = arithmetic(a, b, i64::checked_mul, |a, b| a * b) {
        return product;
    }
    let (text, count) = if a.as_str().is_some() { (a, b) } else { (b, a) };
    match (text.as_str(), count.as_usize()) {
        (Some(text), Some(count)) => {
            budget.check(text.len().saturating_mul(count))?;
            budget.value(format_args!("{}", text.repeat(count)))
        }
        _ => Err(mismatch("*", a, b)),
    }
}

fn arithmetic(
    a: &Value,
    b: &Value,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Option<Result<Value, Error>> {
    if !(a.is_number() && b.is_number()) {
        return None;
    }
    if a.is_integer() && b.is_integer() {
        let result = a.as_i64().zip(b.as_i64()).and_then(|(a, b)| whole(a, b));
        return Some(result.map(Value::from).ok_or_else(|| mismatch("arithmetic", a, b)));
    }
    let float = |value: &Value| f64::try_from(value.clone());
    Some(float(a).and_then(|a| float(b).map(|b| Value::from(real(a, b)))))
}

fn mismatch(operator: &str, a: &Value, b: &Value) -> Error {
    let detail = format!("{operator} is not possible for {} and {}", a.kind(), b.kind());
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// `value[start:stop:step]` of a text (by characters) or a list; nothing of what is undefined or none.
pub(super) fn slice(
    budget: &Budget,
    value: &Value,
    start: &Value,
    stop: &Value,
    step: &Value,
) -> Result<Value, Error> {
    let number = |bound: &Value| -> Result<Option<i64>, Error> {
        if bound.is_none() { Ok(None) } else { i64::try_from(bound.clone()).map(Some) }
    };
    let (start, stop, step) = (number(start)?, number(stop)?, number(step)?.unwrap_or(1));
    if step == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "a slice cannot have a step of 0"));
    }
    match value.kind() {
        ValueKind::String => {
            let chars: Vec<char> = value.as_str().unwrap_or_default().chars().collect();
            let text: String = indices(chars.len(), start, stop, step).map(|at| chars[at]).collect();
            budget.value(format_args!("{text}"))
        }
        ValueKind::Undefined | ValueKind::None => Ok(Value::from(Vec::<Value>::new())),
        _ => {
            let mut items = Vec::new();
            for item in value.try_iter()? {
                budget.charge(ITEM_BYTES)?;
                items.push(item);
            }
            Ok(indices(items.len(), start, stop, step).map(|at| items[at].clone()).collect())
        }
    }
}

/// The places that a slice takes, as Python's `slice.indices` defines them.
fn indices(length: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> impl Iterator<Item = usize> {
    let length = length as i64;
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |given: Option<i64>, otherwise: i64| match given {
        None => otherwise,
        Some(at) if at < 0 => at.saturating_add(length).max(lowest),
        Some(at) => at.min(highest),
    };
    let (first, last) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
    let (first, last) = (bound(start, first), bound(stop, last));
    let is_inside = move |at: &i64| if step > 0 { *at < last } else { *at > last };
    std::iter::successors(Some(first), move |at| at.checked_add(step))
        .take_while(is_inside)
        .map(|at| at as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_take_what_python_takes() {
        let taken = |length, start, stop, step| indices(length, start, stop, step).collect::<Vec<_>>();
        assert_eq!(taken(5, None, None, 1), [0, 1, 2, 3, 4]);
        assert_eq!(taken(5, Some(1), Some(-1), 2), [1, 3]);
        assert_eq!(taken(5, None, None, -1), [4, 3, 2, 1, 0]);
        assert_eq!(taken(5, Some(-2), Some(0), -2), [3, 1]);
        assert_eq!(taken(5, Some(9), Some(-9), -3), [4, 1]);
        for (start, stop, step) in
            [(None, None, -1), (Some(1), Some(3), 1), (Some(i64::MIN), Some(i64::MAX), i64::MIN)]
        {
            assert_eq!(taken(0, start, stop, step), [0usize; 0]);
        }
        assert_eq!(taken(5, Some(3), Some(1), 1), [0usize; 0]);
        assert_eq!(taken(3, Some(i64::MIN), None, i64::MAX), [0]);
    }
}
