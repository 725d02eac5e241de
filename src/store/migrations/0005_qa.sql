-- Inspection by people. Primary: none of it can be computed from facts, but for the picks, and those are evidence.

-- The secret of a month and the policy that it is drawn by, both fixed when the seed's SHA-256 is told.
CREATE TABLE qa_period (
    period            TEXT    PRIMARY KEY,
    seed              BLOB    NOT NULL,
    commitment        TEXT    NOT NULL,
    policy            TEXT    NOT NULL,
    committed_wall_us INTEGER NOT NULL,
    -- The seed is revealed from then on, and nothing is drawn any more.
    closed_wall_us    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TRIGGER qa_period_is_fixed BEFORE UPDATE ON qa_period
WHEN NEW.seed <> OLD.seed OR NEW.commitment <> OLD.commitment OR NEW.policy <> OLD.policy
    OR NEW.committed_wall_us <> OLD.committed_wall_us OR OLD.closed_wall_us IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'what was committed to is never changed');
END;

CREATE TRIGGER qa_period_is_kept BEFORE DELETE ON qa_period
BEGIN
    SELECT RAISE(ABORT, 'what was committed to is never deleted');
END;

CREATE TABLE qa_draw (
    period      TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    at_wall_us  INTEGER NOT NULL,
    -- Calls offered before this were looked at.
    cut_wall_us INTEGER NOT NULL,
    -- SHA-256 of the frame.
    frame       TEXT    NOT NULL,
    candidates  INTEGER NOT NULL,
    -- Reason → calls, JSON.
    excluded    TEXT    NOT NULL,
    -- Agent → picks that were due and had no call, JSON.
    lacking     TEXT    NOT NULL,
    PRIMARY KEY (period, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE qa_pick (
    period  TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    draw    INTEGER NOT NULL,
    call    BLOB    NOT NULL,
    stratum TEXT    NOT NULL,
    -- The probability is weight / of_weight.
    weight    INTEGER NOT NULL,
    of_weight INTEGER NOT NULL,
    second    INTEGER NOT NULL,
    PRIMARY KEY (period, agent, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER qa_pick_is_never_changed BEFORE UPDATE ON qa_pick
BEGIN
    SELECT RAISE(ABORT, 'a pick is never changed');
END;

CREATE TRIGGER qa_pick_is_never_deleted BEFORE DELETE ON qa_pick
BEGIN
    SELECT RAISE(ABORT, 'a pick is never deleted');
END;

-- Another call in the place of one that cannot be scored.
CREATE TABLE qa_replacement (
    period          TEXT    NOT NULL,
    agent           TEXT    NOT NULL,
    n               INTEGER NOT NULL,
    -- From 1: the second replacement replaces the first.
    k               INTEGER NOT NULL,
    replaced        BLOB    NOT NULL,
    call            BLOB    NOT NULL,
    reason          TEXT    NOT NULL,
    asked_by        TEXT    NOT NULL,
    asked_wall_us   INTEGER NOT NULL,
    -- Of another person, where one is needed.
    needs_consent   INTEGER NOT NULL,
    consent_by      TEXT,
    consent_wall_us INTEGER,
    PRIMARY KEY (period, agent, n, k)
) STRICT, WITHOUT ROWID;

-- Forms as they were when a sheet was first filled by them.
CREATE TABLE qa_form (
    version       TEXT    PRIMARY KEY,
    id            TEXT    NOT NULL,
    text          TEXT    NOT NULL,
    since_wall_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER qa_form_is_never_changed BEFORE UPDATE ON qa_form
BEGIN
    SELECT RAISE(ABORT, 'a form that was used is never changed');
END;

CREATE TRIGGER qa_form_is_never_deleted BEFORE DELETE ON qa_form
BEGIN
    SELECT RAISE(ABORT, 'a form that was used is never deleted');
END;

-- The version that new sheets are filled by.
CREATE TABLE qa_form_in_force (
    id      TEXT PRIMARY KEY,
    version TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One hearing of one call.
CREATE TABLE qa_review (
    id      INTEGER PRIMARY KEY,
    period  TEXT    NOT NULL,
    call    BLOB    NOT NULL,
    agent   TEXT    NOT NULL,
    -- random or targeted
    pool    TEXT    NOT NULL,
    -- Of the random pool: the agent's pick.
    pick    INTEGER,
    -- Why it is targeted: words of a closed list.
    why     TEXT,
    -- 1: the blind second hearing; it only tells how well two agree.
    second  INTEGER NOT NULL,
    -- 1 / the probability of having been drawn.
    weight  REAL    NOT NULL,
    -- NULL: nobody may hear it yet.
    scorer  TEXT,
    form    TEXT,
    state   TEXT    NOT NULL,
    -- JSON: what is filled in so far, and what the verdicts had filled in.
    draft   TEXT,
    filled  TEXT,
    until_wall_us  INTEGER,
    made_wall_us   INTEGER NOT NULL,
    changed_wall_us INTEGER NOT NULL
) STRICT;

CREATE INDEX qa_review_by_scorer ON qa_review (scorer, state);
CREATE INDEX qa_review_by_agent ON qa_review (agent, period);
CREATE UNIQUE INDEX qa_review_once ON qa_review (call, agent, second, pool);

-- What was submitted, and each change of it.
CREATE TABLE qa_revision (
    review     INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    by_whom    TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    why        TEXT    NOT NULL,
    sheet      TEXT    NOT NULL,
    score      TEXT    NOT NULL,
    PRIMARY KEY (review, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER qa_revision_is_never_changed BEFORE UPDATE ON qa_revision
BEGIN
    SELECT RAISE(ABORT, 'a revision is never changed');
END;

CREATE TRIGGER qa_revision_is_never_deleted BEFORE DELETE ON qa_revision
BEGIN
    SELECT RAISE(ABORT, 'a revision is never deleted');
END;

-- What was said to a score: acknowledged, disputed and why, decided and why.
CREATE TABLE qa_word (
    review     INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    by_whom    TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    step       TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    PRIMARY KEY (review, n)
) STRICT, WITHOUT ROWID;

-- An agent who has seen the month's scorecard.
CREATE TABLE qa_seen (
    agent      TEXT    NOT NULL,
    period     TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    by_whom    TEXT    NOT NULL,
    PRIMARY KEY (agent, period)
) STRICT, WITHOUT ROWID;

-- What a draw asks of each call, so that a month of them is read in order and not row by row.
CREATE INDEX call_to_draw ON call (
    offered_wall_us, id, hotline, subject, outcome,
    json_extract(record, '$.agent'), json_extract(record, '$.talk_ms'), json_extract(record, '$.segments'),
    json_extract(record, '$.recording.status')
) WHERE closed = 1;
