use super::*;

fn of(units: &[Unit], scale: Scale) -> Agreement {
    agreement(units, scale, &mut Random::from_number(1))
}

fn pairs(rows: &[(u32, u32, usize)]) -> Vec<Unit> {
    rows.iter().flat_map(|(a, b, times)| vec![vec![Some(*a), Some(*b)]; *times]).collect()
}

#[track_caller]
fn near(found: Option<Interval>, expected: f64) {
    let found = found.unwrap().value;
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

/// Reference values below: PyPI `krippendorff` 0.9.0, `krippendorff.alpha(reliability_data=a.T, level_of_measurement=…)`, and PyPI
/// `irrCAC` 0.4.4, `CAC(pandas.DataFrame(a), digits=12).gwet()["est"]["coefficient_value"]`; a: a row a unit, a column a person,
/// NaN where nothing was said. Run on 2026-11-22 with numpy 1.26.4.
#[test]
fn nearly_everybody_passes() {
    let units = pairs(&[(1, 1, 94), (0, 0, 1), (1, 0, 3), (0, 1, 2)]);
    let found = of(&units, Scale::Nominal);
    near(found.percent, 0.95);
    near(found.ac1, 0.946_377_821_867);
    near(found.alpha, 0.263_508_512_213_175_4);
}

/// The example of Krippendorff 2011: four people, five categories, gaps.
#[test]
fn four_people_with_gaps() {
    let gap = 0;
    let rows = [
        [1, 1, gap, 1],
        [2, 2, 3, 2],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [1, 2, 3, 4],
        [4, 4, 4, 4],
        [1, 1, 2, 1],
        [2, 2, 2, 2],
        [gap, 5, 5, 5],
        [gap, gap, 1, 1],
        [gap, gap, 3, gap],
    ];
    let units: Vec<Unit> = rows.iter().map(|row| row.iter().map(|n| (*n != gap).then_some(*n)).collect()).collect();
    let nominal = of(&units, Scale::Nominal);
    assert_eq!(nominal.units, 11);
    near(nominal.percent, 0.818_181_818_181_818_2);
    near(nominal.alpha, 0.743_421_052_631_579);
    near(of(&units, Scale::Interval).alpha, 0.849_107_142_857_142_8);
    let ac1 = nominal.ac1.unwrap().value;
    assert!((ac1 - 0.775_444_068_127).abs() < 1e-9, "{ac1}");
}

#[test]
fn two_people_on_a_scale() {
    let units =
        pairs(&[(2, 2, 1), (2, 3, 1), (2, 4, 1), (3, 1, 1), (3, 2, 1), (3, 3, 6), (3, 4, 7), (4, 3, 3), (4, 4, 3)]);
    assert_eq!(units.len(), 24);
    let nominal = of(&units, Scale::Nominal);
    near(nominal.alpha, 0.035_190_615_835_777_095);
    near(nominal.ac1, 0.273_251_622_206);
    near(of(&units, Scale::Interval).alpha, 0.181_184_668_989_547_1);
}

/// With the same seed the same interval; it holds the value and narrows with more units.
#[test]
fn intervals_narrow_with_more_units() {
    let few = pairs(&[(1, 1, 18), (0, 0, 4), (1, 0, 2), (0, 1, 1)]);
    let many: Vec<Unit> = few.iter().cycle().take(few.len() * 16).cloned().collect();
    let width = |units: &[Unit]| {
        let found = of(units, Scale::Nominal);
        [found.percent, found.ac1, found.alpha].map(|figure| {
            let Interval { value, low, high } = figure.unwrap();
            let (low, high) = (low.unwrap(), high.unwrap());
            assert!(low <= value && value <= high, "{low} {value} {high}");
            high - low
        })
    };
    let (few_widths, many_widths) = (width(&few), width(&many));
    assert_eq!(width(&few), few_widths);
    for (few, many) in few_widths.into_iter().zip(many_widths) {
        // Sixteen times the units: a quarter of the width.
        assert!((0.15..0.4).contains(&(many / few)), "{many} of {few}");
    }
}

#[test]
fn nothing_to_compare_is_no_figure() {
    assert_eq!(of(&[], Scale::Nominal), Agreement { units: 0, percent: None, ac1: None, alpha: None });
    let one = of(&[vec![Some(1), None]], Scale::Nominal);
    assert_eq!((one.units, one.percent), (0, None));
    let all_the_same = of(&pairs(&[(1, 1, 9)]), Scale::Nominal);
    assert_eq!((all_the_same.ac1.unwrap().value, all_the_same.alpha), (1.0, None));
}
