//! Student's t: how likely a difference of means is by chance, where both sides scatter alike.

/// Two-sided p-value of the difference between the means of two samples (Student's t, pooled variance). Of samples that do not scatter at
/// all any difference is one.
pub fn p_value(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let degrees = (a.len() + b.len()) as f64 - 2.0;
    if degrees < 1.0 {
        return 1.0;
    }
    let pooled = (squares(a, mean_a) + squares(b, mean_b)) / degrees;
    let error = (pooled * (1.0 / a.len() as f64 + 1.0 / b.len() as f64)).sqrt();
    let difference = (mean_a - mean_b).abs();
    if error <= f64::EPSILON * (mean_a.abs() + mean_b.abs()) {
        return if difference <= f64::EPSILON * (mean_a.abs() + mean_b.abs()) { 1.0 } else { 0.0 };
    }
    two_tails(difference / error, degrees)
}

/// The value that t exceeds with this probability.
pub fn upper_quantile(probability: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    while high - low > 1e-9 * (1.0 + high) {
        let middle = f64::midpoint(low, high);
        if two_tails(middle, degrees) / 2.0 > probability { low = middle } else { high = middle }
    }
    high
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum of the squared distances from the mean.
pub fn squares(values: &[f64], mean: f64) -> f64 {
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Probability of a |t| of at least this.
fn two_tails(t: f64, degrees: f64) -> f64 {
    incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// Regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast below the mean; beyond it the symmetric one does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = (a * x.ln() + b * (1.0 - x).ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    front / fraction(a, b, x)
}

/// From its innermost term outwards: so many are enough for 12 digits where the degrees of freedom are below some thousands.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TERMS: u32 = 300;
    (1..=TERMS).rev().fold(1.0, |inner, term| {
        let m = f64::from(term / 2);
        let numerator = if term % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        1.0 + numerator / inner
    })
}

/// Stirling's series, of an argument that was made large enough for it first.
fn ln_gamma(x: f64) -> f64 {
    const ENOUGH: f64 = 10.0;
    if x < ENOUGH {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, probability, expected) in
            [(1.0, 0.05, 6.314), (4.0, 0.05, 2.132), (8.0, 0.025, 2.306), (30.0, 0.005, 2.750), (1000.0, 0.05, 1.646)]
        {
            let found = upper_quantile(probability, degrees);
            assert!((found - expected).abs() < 0.001, "{degrees} {probability}: {found}");
        }
    }

    #[test]
    fn a_difference_is_as_likely_as_the_books_say_and_without_scatter_certain() {
        // Student's own sleep data, as two samples: t = -1.8608, 18 degrees of freedom, p = 0.07919.
        let a = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let b = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        assert!((p_value(&a, &b) - 0.07919).abs() < 1e-4, "{}", p_value(&a, &b));
        assert_eq!(
            (p_value(&[1.0, 1.0], &[2.0, 2.0]), p_value(&[1.0, 1.0], &[1.0, 1.0]), p_value(&[1.0], &[2.0])),
            (0.0, 1.0, 1.0)
        );
    }
}
