//! How a number in a text is spoken.
//!
//! Up to two digits are read as a number where the language has the words (12 is 十二, twelve), all others digit by
//! digit, in Chinese with 幺 for 1, as telephone numbers are read. A leading zero makes a number a row of digits: 08 is
//! 零八.

/// What we know of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tongue {
    Chinese,
    English,
    Other,
}

impl Tongue {
    /// By the primary subtag of a BCP 47 tag.
    pub(super) fn of(language: &str) -> Tongue {
        match language.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "zh" | "cmn" => Tongue::Chinese,
            "en" => Tongue::English,
            _ => Tongue::Other,
        }
    }
}

/// One way to say a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// A prompt may begin or end between two words, never within one.
    pub(super) words: Vec<String>,
    /// Only where no form without this mark can be said with the prompts at hand.
    pub(super) last_resort: bool,
}

/// The ways to say `digits` (ASCII digits), best first. The first is the number as written: a prompt may be called "8号".
/// In a language that we know nothing of, the digits stand for themselves.
pub(super) fn forms(digits: &str, tongue: Tongue) -> Vec<Form> {
    let short = digits.len() <= 2 && (digits.len() == 1 || !digits.starts_with('0'));
    let number = if short { digits.parse().ok().and_then(|n| number_words(n, tongue)) } else { None };
    let row: Vec<String> = digits.chars().map(|d| digit_word(d, tongue)).collect();
    if tongue == Tongue::Other {
        return vec![Form { words: row, last_resort: false }];
    }
    let mut forms = vec![Form { words: vec![digits.to_owned()], last_resort: false }];
    let has_number = number.is_some();
    forms.extend(number.map(|words| Form { words, last_resort: false }));
    if digits.len() > 1 || !has_number {
        forms.push(Form { words: row, last_resort: has_number });
    }
    forms
}

const HAN: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
const ENGLISH: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The words of a number from 0 to 99.
fn number_words(number: usize, tongue: Tongue) -> Option<Vec<String>> {
    let (tens, ones) = (number / 10, number % 10);
    let words: Vec<&str> = match tongue {
        Tongue::Chinese => {
            let before = if tens > 1 { Some(HAN[tens]) } else { None };
            let ten = if tens > 0 { Some("十") } else { None };
            let after = if ones > 0 || tens == 0 { Some(HAN[ones]) } else { None };
            [before, ten, after].into_iter().flatten().collect()
        }
        Tongue::English if number < 20 => vec![ENGLISH[number]],
        Tongue::English if ones == 0 => vec![TENS[tens]],
        Tongue::English => vec![TENS[tens], ENGLISH[ones]],
        Tongue::Other => return None,
    };
    Some(words.into_iter().map(str::to_owned).collect())
}

/// The word of a digit in a row of digits.
fn digit_word(digit: char, tongue: Tongue) -> String {
    let value = digit.to_digit(10).unwrap_or_default() as usize;
    match tongue {
        Tongue::Chinese if value == 1 => "幺".to_owned(),
        Tongue::Chinese => HAN[value].to_owned(),
        Tongue::English => ENGLISH[value].to_owned(),
        Tongue::Other => digit.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms after the one as written; `?` marks the last resort.
    fn read(digits: &str, tongue: Tongue) -> String {
        let shown = |f: &Form| format!("{}{}", f.words.join(" "), if f.last_resort { "?" } else { "" });
        forms(digits, tongue).iter().skip(1).map(shown).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn chinese() {
        let table = [
            ("0", "零"),
            ("1", "一"),
            ("8", "八"),
            ("10", "十, 幺 零?"),
            ("11", "十 一, 幺 幺?"),
            ("12", "十 二, 幺 二?"),
            ("20", "二 十, 二 零?"),
            ("57", "五 十 七, 五 七?"),
            ("99", "九 十 九, 九 九?"),
            ("08", "零 八"),
            ("00", "零 零"),
            ("100", "幺 零 零"),
            ("101", "幺 零 幺"),
            ("110", "幺 幺 零"),
            ("4008001234", "四 零 零 八 零 零 幺 二 三 四"),
        ];
        for (digits, spoken) in table {
            assert_eq!(read(digits, Tongue::Chinese), spoken, "{digits}");
        }
    }

    #[test]
    fn english_and_others() {
        let table = [
            ("0", "zero"),
            ("7", "seven"),
            ("12", "twelve, one two?"),
            ("20", "twenty, two zero?"),
            ("101", "one zero one"),
        ];
        for (digits, spoken) in table {
            assert_eq!(read(digits, Tongue::English), spoken, "{digits}");
        }
        assert_eq!(read("42", Tongue::English), "forty two, four two?");
        assert_eq!(forms("12", Tongue::Other), [Form { words: vec!["1".into(), "2".into()], last_resort: false }]);
    }

    #[test]
    fn tongues_by_primary_subtag() {
        assert_eq!(
            ["zh-CN", "zh", "en", "en-GB", "de"].map(Tongue::of),
            [Tongue::Chinese, Tongue::Chinese, Tongue::English, Tongue::English, Tongue::Other]
        );
    }
}
