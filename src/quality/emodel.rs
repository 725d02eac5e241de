//! The E-model: ITU-T G.107 in full for the telephone band, and the loss and delay terms of G.107.1 (wideband) and
//! G.107.2 (fullband).
//!
//! R is a rating of transmission, 0 to the top of its scale; MOS is the mean opinion that it stands for. Numbers of
//! different scales cannot be compared, so each is given with its [`Scale`].

/// The loss term reaches at most this: what is lost altogether has no worse quality than none.
const IE_EFF_MAX: f64 = 95.0;

/// BurstR that the loss term is given, at most. The model is fitted to short runs; its asymptote is 95 · BurstR, so that a
/// single outage of a second would make R negative. Outages are told apart, in their own figures.
pub const BURST_R_MAX: f64 = 4.0;

/// What R and MOS are measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Narrowband, 300 to 3,400 Hz: G.107, R to about 93.2.
    Nb,
    /// Wideband, 100 to 7,000 Hz: G.107.1, R to 129.
    Wb,
    /// Fullband, 20 to 20,000 Hz: G.107.2, R to 148.
    Fb,
}

impl Scale {
    pub fn as_str(self) -> &'static str {
        match self {
            Scale::Nb => "nb",
            Scale::Wb => "wb",
            Scale::Fb => "fb",
        }
    }

    /// By what R is divided before it is a point of G.107's curve of opinions.
    fn divisor(self) -> f64 {
        match self {
            Scale::Nb => 1.0,
            Scale::Wb => 1.29,
            Scale::Fb => 1.48,
        }
    }

    /// Mean opinion, 1 to 4.5, of a rating on this scale.
    pub fn mos(self, r: f64) -> f64 {
        mos(r / self.divisor())
    }
}

/// MOS of R (G.107 annex B). The polynomial dips below 1 near R = 6.5 and is held there.
pub fn mos(r: f64) -> f64 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

/// R of a MOS from 1 to 4.5, by halving; the curve rises from R = 6.5 on.
pub fn r_of_mos(opinion: f64) -> f64 {
    let (mut low, mut high) = (6.5, 100.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if mos(middle) < opinion { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// What users say of a rating on the narrowband scale (G.109).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nearly all users dissatisfied: below 60; not recommended below 50.
    Poor,
    /// Many users dissatisfied: from 60.
    Low,
    /// Some users dissatisfied: from 70.
    Medium,
    /// Satisfied: from 80.
    High,
    /// Very satisfied: from 90.
    Best,
}

pub fn grade(r: f64) -> Grade {
    match r {
        r if r >= 90.0 => Grade::Best,
        r if r >= 80.0 => Grade::High,
        r if r >= 70.0 => Grade::Medium,
        r if r >= 60.0 => Grade::Low,
        _ => Grade::Poor,
    }
}

/// Ie,eff (G.107 equation 7-29): the codec's impairment with the loss it meets.
///
/// `loss_percent`: packets lost and discarded, 0 to 100. `burst_r`: mean length of a run of losses over that of random
/// loss; held to 1 to [`BURST_R_MAX`]. The result is at most 95 (or `ie`, if that is more).
pub fn ie_eff(ie: f64, bpl: f64, loss_percent: f64, burst_r: f64) -> f64 {
    let loss = loss_percent.clamp(0.0, 100.0);
    let burst_r = burst_r.clamp(1.0, BURST_R_MAX);
    let share = if loss > 0.0 { loss / (loss / burst_r + bpl.max(0.0)) } else { 0.0 };
    ie + (IE_EFF_MAX - ie).max(0.0) * share.min(1.0)
}

/// Idd: what pure delay costs, without echo; `ta_ms` is mouth to ear, one way (G.107 equation 7-27 with sT = 1, mT = 100).
pub fn idd(ta_ms: f64) -> f64 {
    const MT_MS: f64 = 100.0;
    if ta_ms <= MT_MS {
        return 0.0;
    }
    let x = (ta_ms / MT_MS).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// A connection as G.107 table 2 describes it; the default is that table's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Connection {
    /// Loudness ratings of sending, receiving, talker sidetone (dB).
    pub slr_db: f64,
    pub rlr_db: f64,
    pub stmr_db: f64,
    /// D-values of both telephones.
    pub ds: f64,
    pub dr: f64,
    /// Talker echo loudness rating, weighted echo path loss (dB).
    pub telr_db: f64,
    pub wepl_db: f64,
    /// Quantising distortion units.
    pub qdu: f64,
    /// Circuit noise at the 0 dBr point (dBm0p), noise floor at the receiver (dBmp).
    pub nc_dbm0p: f64,
    pub nfor_dbmp: f64,
    /// Room noise at both sides (dB(A)).
    pub ps_dba: f64,
    pub pr_dba: f64,
    /// Delay: mean one-way of the echo path, of the four-wire loop, absolute (ms).
    pub t_ms: f64,
    pub tr_ms: f64,
    pub ta_ms: f64,
    /// Ie,eff and A.
    pub ie_eff: f64,
    pub advantage: f64,
}

impl Default for Connection {
    fn default() -> Self {
        Connection {
            slr_db: 8.0,
            rlr_db: 2.0,
            stmr_db: 15.0,
            ds: 3.0,
            dr: 3.0,
            telr_db: 65.0,
            wepl_db: 110.0,
            qdu: 1.0,
            nc_dbm0p: -70.0,
            nfor_dbmp: -64.0,
            ps_dba: 35.0,
            pr_dba: 35.0,
            t_ms: 0.0,
            tr_ms: 0.0,
            ta_ms: 0.0,
            ie_eff: 0.0,
            advantage: 0.0,
        }
    }
}

/// The parts of a narrowband rating: R = Ro − Is − Id − Ie,eff + A.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rating {
    pub ro: f64,
    pub is: f64,
    pub id: f64,
    pub r: f64,
}

impl Connection {
    /// One way of `ta_ms` in both directions, echo included: T = Ta, Tr = 2 Ta.
    pub fn delayed(ta_ms: f64) -> Connection {
        Connection { t_ms: ta_ms, ta_ms, tr_ms: 2.0 * ta_ms, ..Connection::default() }
    }

    /// G.107 clause 7. R may be negative.
    pub fn rating(&self) -> Rating {
        let no = self.noise_dbm0p();
        let ro = 15.0 - 1.5 * (self.slr_db + no);
        let ist = self.sidetone();
        let is = self.too_loud(no) + ist + self.quantising(ro);
        let id = self.talker_echo(no, ist) + self.listener_echo(ro) + idd(self.ta_ms);
        Rating { ro, is, id, r: ro - is - id - self.ie_eff + self.advantage }
    }

    fn olr_db(&self) -> f64 {
        self.slr_db + self.rlr_db
    }

    /// No: the power sum of all noise (equations 7-3 to 7-7).
    fn noise_dbm0p(&self) -> f64 {
        let nos = self.ps_dba - self.slr_db - self.ds - 100.0
            + 0.004 * (self.ps_dba - self.olr_db() - self.ds - 14.0).powi(2);
        let lstr = self.stmr_db + self.dr;
        let pre = self.pr_dba + 10.0 * (1.0 + power((10.0 - lstr) / 10.0)).log10();
        let nor = self.rlr_db - 121.0 + pre + 0.008 * (pre - 35.0).powi(2);
        let nfo = self.nfor_dbmp + self.rlr_db;
        10.0 * [self.nc_dbm0p, nos, nor, nfo].map(|db| power(db / 10.0)).iter().sum::<f64>().log10()
    }

    /// Iolr: too low a loudness rating (7-9, 7-10).
    fn too_loud(&self, no: f64) -> f64 {
        let x = (self.olr_db() + 0.2 * (64.0 + no - self.rlr_db)) / 8.0;
        20.0 * ((1.0 + x.powi(8)).powf(1.0 / 8.0) - x)
    }

    /// Ist: sidetone that is not the best (7-11, 7-12).
    fn sidetone(&self) -> f64 {
        let echo = (-self.t_ms / 4.0).exp() * power(-self.telr_db / 10.0);
        let stmro = -10.0 * (power(-self.stmr_db / 10.0) + echo).log10();
        let bump = |middle: f64, width: f64, order: i32| {
            (1.0 + ((stmro + middle) / width).powi(order)).powf(1.0 / f64::from(order))
        };
        12.0 * bump(-13.0, 6.0, 8) - 28.0 * bump(1.0, 19.4, 35) - 13.0 * bump(-3.0, 33.0, 13) + 29.0
    }

    /// Iq: quantising distortion (7-13 to 7-17).
    fn quantising(&self, ro: f64) -> f64 {
        let q = 37.0 - 15.0 * self.qdu.log10();
        let g = 1.07 + 0.258 * q + 0.0602 * q * q;
        let y = (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0;
        let z = 46.0 / 30.0 - g / 40.0;
        15.0 * (1.0 + power(y) + power(z)).log10()
    }

    /// Idte: one's own voice coming back (7-19 to 7-24).
    fn talker_echo(&self, no: f64, ist: f64) -> f64 {
        let t = self.t_ms;
        let mut terv =
            self.telr_db - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
        if self.stmr_db < 9.0 {
            terv += ist / 2.0;
        }
        let re = 80.0 + 2.5 * (terv - 14.0);
        let roe = -1.5 * (no - self.rlr_db);
        let half = (roe - re) / 2.0;
        let idte = (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp());
        if self.stmr_db > 20.0 { idte.hypot(ist) } else { idte }
    }

    /// Idle: the listener hears the talker twice (7-25, 7-26).
    fn listener_echo(&self, ro: f64) -> f64 {
        let rle = 10.5 * (self.wepl_db + 7.0) * (self.tr_ms + 1.0).powf(-0.25);
        let half = (ro - rle) / 2.0;
        half + (half * half + 169.0).sqrt()
    }
}

/// R of a wideband connection without echo (G.107.1): 129 less delay and loss.
pub fn wideband(ta_ms: f64, ie_eff: f64) -> f64 {
    129.0 - idd(ta_ms) - ie_eff
}

/// R of a fullband connection without echo (G.107.2): 148 less delay and loss.
pub fn fullband(ta_ms: f64, ie_eff: f64) -> f64 {
    148.0 - idd(ta_ms) - ie_eff
}

fn power(exponent: f64) -> f64 {
    10_f64.powf(exponent)
}

#[cfg(test)]
#[path = "emodel_tests.rs"]
mod tests;
