//! Phrases: how a wording is found in what was said, whatever stands between its characters.

/// Characters that may stand where a wording has `…`.
const GAP: usize = 12;

/// Traditional characters of the phrases' words; a recogniser may write either form.
const SIMPLE: [(char, char); 41] = [
    ('請', '请'),
    ('謝', '谢'),
    ('對', '对'),
    ('見', '见'),
    ('問', '问'),
    ('話', '话'),
    ('聽', '听'),
    ('說', '说'),
    ('嗎', '吗'),
    ('幫', '帮'),
    ('麼', '么'),
    ('沒', '没'),
    ('聲', '声'),
    ('錄', '录'),
    ('後', '后'),
    ('這', '这'),
    ('來', '来'),
    ('電', '电'),
    ('還', '还'),
    ('轉', '转'),
    ('煩', '烦'),
    ('間', '间'),
    ('關', '关'),
    ('係', '系'),
    ('諒', '谅'),
    ('歡', '欢'),
    ('臨', '临'),
    ('號', '号'),
    ('為', '为'),
    ('務', '务'),
    ('稱', '称'),
    ('貴', '贵'),
    ('氣', '气'),
    ('機', '机'),
    ('時', '时'),
    ('個', '个'),
    ('點', '点'),
    ('讓', '让'),
    ('馬', '马'),
    ('們', '们'),
    ('會', '会'),
];

/// What was said, without what is not spoken: no spaces and punctuation, letters and digits of one width and case, simplified characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken(String);

impl Spoken {
    pub(super) fn of(text: &str) -> Spoken {
        Spoken(text.chars().flat_map(normal).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A wording in the same form: its parts follow each other, with at most [`GAP`] characters between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wording(Vec<String>);

impl Wording {
    /// `None`: there is nothing in it that could be said.
    pub(super) fn of(text: &str) -> Option<Wording> {
        let parts: Vec<String> =
            text.split('…').map(|part| Spoken::of(part).0).filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then_some(Wording(parts))
    }

    pub(super) fn is_in(&self, said: &Spoken) -> bool {
        let Some((first, rest)) = self.0.split_first() else { return false };
        said.0.match_indices(first.as_str()).any(|(at, part)| follows(&said.0[at + part.len()..], rest))
    }
}

fn follows(said: &str, parts: &[String]) -> bool {
    let Some((next, rest)) = parts.split_first() else { return true };
    let near = |at: &usize| said[..*at].chars().count() <= GAP;
    let places = said.match_indices(next.as_str()).map(|(at, _)| at).take_while(near);
    places.map(|at| at + next.len()).any(|behind| follows(&said[behind..], rest))
}

fn normal(c: char) -> impl Iterator<Item = char> {
    // The full-width forms of ASCII, U+FF01 to U+FF5E.
    let narrow = match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let simple = SIMPLE.iter().find(|(old, _)| *old == narrow).map_or(narrow, |(_, new)| *new);
    simple.to_lowercase().filter(|c| c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wording_is_found_whatever_is_written_between_its_characters() {
        for (wording, said, found) in [
            ("谢谢再见", "感谢您的来电,若有问题请再次来电,谢谢,再见!", true),
            ("谢谢再见", "謝謝 再見", true),
            ("谢谢再见", "谢谢您,再见", false),
            ("谢谢…再见", "谢谢您,再见", true),
            ("请您…好吗", "请您大声些,好吗?", true),
            ("请您…好吗", "请您记一下这个电话号码以及我们的地址和营业时间好吗", false),
            ("请…好吗", "请您记一下这个电话号码以及我们的地址和营业时间,请您稍等好吗", true),
            ("sorry", "I am SORRY.", true),
            ("8号", "8号接待员", true),
            ("…", "随便", false),
        ] {
            let is_in = Wording::of(wording).is_some_and(|wording| wording.is_in(&Spoken::of(said)));
            assert_eq!(is_in, found, "{wording} in {said}");
        }
        assert!(Spoken::of(" ,。!…").is_empty());
    }
}
