//! The Pareto front: what cannot be made better in one respect without being worse in another.

/// Positions of the points that no other dominates: none is at least as good in every coordinate
/// and better in one. Less is better; NaN is worst. Of equal points the first stays.
pub fn front(points: &[Vec<f64>]) -> Vec<usize> {
    let value = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
    let dominates = |(i, a): (usize, &Vec<f64>), (j, b): (usize, &Vec<f64>)| {
        let pairs = || a.iter().zip(b).map(|(x, y)| (value(*x), value(*y)));
        pairs().all(|(x, y)| x <= y) && (pairs().any(|(x, y)| x < y) || i < j)
    };
    let all = || points.iter().enumerate();
    all()
        .filter(|j| !all().any(|i| i.0 != j.0 && dominates(i, *j)))
        .map(|(j, _)| j)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dominated_points_are_left_out() {
        let points = [
            [1.0, 5.0],
            [2.0, 3.0],
            [2.0, 4.0],
            [3.0, 3.0],
            [4.0, 1.0],
            [1.0, 5.0],
        ];
        let points: Vec<Vec<f64>> = points.iter().map(|p| p.to_vec()).collect();
        assert_eq!(front(&points), [0, 1, 4]);
        assert_eq!(front(&[vec![1.0, f64::NAN], vec![1.0, 9.0]]), [1]);
    }

    proptest! {
        #[test]
        fn every_point_is_on_the_front_or_below_one_that_is(
            points in proptest::collection::vec(proptest::collection::vec(0_u8..6, 3), 1..30)
        ) {
            let points: Vec<Vec<f64>> = points.into_iter().map(|p| p.into_iter().map(f64::from).collect()).collect();
            let on = front(&points);
            prop_assert!(!on.is_empty());
            for p in &points {
                prop_assert!(on.iter().any(|i| points[*i].iter().zip(p).all(|(a, b)| a <= b)));
            }
        }
    }
}
