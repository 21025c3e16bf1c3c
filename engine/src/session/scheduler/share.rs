//! How the prompt tokens of one step are shared: equally, what one does not want goes to the others, and the odd
//! token goes round.

/// Tokens for each of `wants`, at most `budget` in all; `turn` says who comes first.
pub(super) fn shares(wants: &[usize], budget: usize, turn: usize) -> Vec<usize> {
    let mut given = vec![0; wants.len()];
    let mut left = budget;
    loop {
        let open = wants.iter().zip(&given).filter(|(want, has)| has < want).count();
        if open == 0 || left == 0 {
            return given;
        }
        let equal = (left / open).max(1);
        for k in 0..wants.len() {
            let i = (k + turn) % wants.len();
            let more = equal.min(wants[i] - given[i]).min(left);
            given[i] += more;
            left -= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn equal_wants_get_equal_shares() {
        assert_eq!(shares(&[100, 100], 64, 0), [32, 32]);
    }

    #[test]
    fn what_one_does_not_want_goes_to_the_others() {
        assert_eq!(shares(&[4, 100, 100], 64, 0), [4, 30, 30]);
        assert_eq!(shares(&[4, 5], 64, 0), [4, 5]);
    }

    #[test]
    fn the_odd_token_goes_round() {
        assert_eq!(shares(&[9, 9, 9], 1, 0), [1, 0, 0]);
        assert_eq!(shares(&[9, 9, 9], 1, 1), [0, 1, 0]);
        assert_eq!(shares(&[9, 9, 9], 1, 5), [0, 0, 1]);
    }

    #[test]
    fn nothing_is_shared_when_nobody_wants() {
        assert_eq!(shares(&[], 64, 3), Vec::<usize>::new());
        assert_eq!(shares(&[0, 0], 64, 3), [0, 0]);
    }

    #[test]
    fn the_whole_budget_is_used_when_wanted() {
        for n in 1..12 {
            for budget in 0..70 {
                let given = shares(&vec![50; n], budget, 7);
                assert_eq!(given.iter().sum::<usize>(), budget.min(50 * n), "{n} wants, budget {budget}");
            }
        }
    }
}
