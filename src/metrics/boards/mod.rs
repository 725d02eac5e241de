//! The dashboards, as tables: each panel's question, unit and words in both languages. [`files`] draws them as Grafana's classic
//! JSON; what is committed in `deploy/grafana/dashboards` is exactly this, which a test holds.

mod grafana;
mod media;
mod operations;
mod service;
mod system;

pub use grafana::files;

/// A language of the boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Chinese,
    English,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::Chinese, Language::English];

    pub fn word(self) -> &'static str {
        match self {
            Language::Chinese => "zh",
            Language::English => "en",
        }
    }
}

/// The same in both languages.
#[derive(Debug, Clone, Copy)]
struct Text {
    zh: &'static str,
    en: &'static str,
}

const fn t(zh: &'static str, en: &'static str) -> Text {
    Text { zh, en }
}

impl Text {
    fn of(self, language: Language) -> &'static str {
        match language {
            Language::Chinese => self.zh,
            Language::English => self.en,
        }
    }
}

struct Board {
    /// Begins the uid; the language follows.
    name: &'static str,
    title: Text,
    about: Text,
    /// What it shows at first.
    from: &'static str,
    refresh: &'static str,
    sections: &'static [Section],
}

/// A row of the board, with its panels from left to right.
struct Section {
    title: Text,
    panels: &'static [Panel],
}

struct Panel {
    title: Text,
    about: Text,
    shape: Shape,
    unit: &'static str,
    /// Of 24 columns; a row of Grafana's grid is some 38 pixels high.
    size: (u32, u32),
    queries: &'static [Query],
    /// From which value on which colour; the first holds below all others.
    steps: &'static [(f64, &'static str)],
    range: (Option<f64>, Option<f64>),
}

/// Green, whatever the value.
const CALM: &[(f64, &str)] = &[(0.0, "green")];

#[derive(Clone, Copy)]
enum Shape {
    /// Numbers as they are at the end of the time that is shown.
    Stat,
    /// A share of a whole, as a bar for each series, the least (or greatest) first.
    Bars,
    Lines,
    Stacked,
    /// A number of a closed list, as its word and colour.
    Words(&'static [(u8, Text, &'static str)]),
    /// What the series are called; their value says nothing.
    Names,
}

const YES_OR_NO: Shape = Shape::Words(&[(0, t("否", "no"), "red"), (1, t("是", "yes"), "green")]);

/// `$H` stands for the selection of job, instance and hotline, `$S` for that of job and instance, `$R` for the time that is shown.
struct Query {
    expr: &'static str,
    legend: Text,
    /// With the calls behind it as dots.
    exemplars: bool,
}

const fn q(expr: &'static str, legend: Text) -> Query {
    Query { expr, legend, exemplars: false }
}

const fn dotted(expr: &'static str, legend: Text) -> Query {
    Query { expr, legend, exemplars: true }
}

const BOARDS: [&Board; 4] = [&operations::BOARD, &service::BOARD, &media::BOARD, &system::BOARD];

/// What label values are called in Chinese, and the colour of each in both languages.
const WORDS: &[(&str, &str, &str)] = &[
    ("answered", "已接听", "green"),
    ("short_abandoned", "短时放弃", "#B0B0B0"),
    ("abandoned", "放弃", "red"),
    ("overflow", "溢出", "blue"),
    ("rejected", "拒绝", "orange"),
    ("failed", "失败", "dark-red"),
    ("ringing", "振铃", "yellow"),
    ("greeting", "播报问候语", "light-blue"),
    ("talking", "通话", "green"),
    ("hold", "保持", "orange"),
    ("available", "空闲", "green"),
    ("busy", "通话中", "blue"),
    ("wrapup", "话后处理", "purple"),
    ("away", "小休", "orange"),
    ("offline", "未签入", "#808080"),
    ("caller", "客户侧", "blue"),
    ("agent", "坐席侧", "purple"),
    ("gateway", "网关", "orange"),
    ("trunk", "中继", "red"),
    ("completed", "成功", "green"),
    ("refused", "被拒", "orange"),
    ("ok", "完整", "green"),
    ("partial", "不完整", "orange"),
    ("none", "无录音", "red"),
    ("no_answer", "未应答", "orange"),
    ("declined", "拒接", "red"),
    ("unreachable", "不可达", "dark-red"),
    ("lost_race", "他人先接", "#B0B0B0"),
    ("caller_left", "客户先挂", "#808080"),
    ("fault", "故障", "dark-red"),
    ("pass", "合格", "green"),
    ("fail", "不合格", "red"),
    ("na", "不适用", "#B0B0B0"),
    ("unknown", "无法判定", "#808080"),
    ("unassigned", "未分配", "purple"),
    ("assigned", "待评", "blue"),
    ("overdue", "逾期", "red"),
    ("drawn", "已抽取", "blue"),
    ("scored", "已评", "green"),
];
