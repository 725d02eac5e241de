product = Hotline
skip = Skip to the content
nav = Main navigation
home = To the beginning
save = Save
older = Older ones
seconds = { $s } s

nav-live = Live
nav-calls = Calls
nav-agent = My desk
nav-people = People
nav-audit = Audit log
nav-storage = Storage
nav-health = Health
nav-metrics = Metrics

login = Log in
logout = Log out
login-name = User name
login-password = Password
login-wrong = User name or password is wrong.
login-as = Log in as { $name }
link-text = This link can be used once.
setup = First run
setup-text = There is nobody yet. Here the first administrator is made, who adds everybody else.
setup-do = Make the administrator
account = My account
account-changed = Saved.
password-new = New password
password-new-text = Then log in again with the new password; sessions in other browsers end too.
password-old = Present password
password-again = Once more
password-rule = At least 10 characters; longer is better.
password-differs = The two passwords are not the same.
password-change = Change the password

refusal = This cannot be opened
refusal-not-found = There is nothing here.
refusal-forbidden = You may not do this.
refusal-busy = Too much is asked at once; try again in a moment.
refusal-locked-out = Too many wrong passwords; try again in ten minutes.
refusal-fault = The program made a mistake; it stands in the log.
refusal-too-long = What was sent is too long.
refusal-old-form = This form is too old; open the page again.
refusal-link = This link was used already, or is too old.
refusal-language = There is no such language.

person-shown = Name
person-agent = Agent number
person-roles = Roles
people-all = Everybody
people-add = Add somebody
people-do = Actions
people-disabled = disabled
people-disable = Disable
people-enable = Enable
people-make-link = Login link
people-link = A one-time link for { $name } to log in by, good for 24 hours:
people-empty-password = The password may be empty: then there is a one-time link, and the person chooses one.
people-save-of = Save the roles of { $name }
people-link-of = Make a login link for { $name }
people-disable-of = Disable { $name }
people-enable-of = Enable { $name }
role-agent = Agent
role-qa = QA
role-lead = Team lead
role-operator = Operator
role-auditor = Auditor
role-admin = Administrator

audit-verify = Verify the chain
audit-text = Each row's hash holds that of the row before: a change of any row shows.
audit-whole = { $n ->
    [one] One row. Note it:
   *[other] { $n } rows, each follows from the one before. Note the last one:
}
audit-gap = Row { $n } does not follow: rows before it are missing.
audit-changed = Row { $n } does not follow: it was changed, or the one before it was and was given a new hash.
audit-n = Row
audit-at = Time
audit-who = Who
audit-what = Did what
audit-about = About
audit-details = Details
audit-hash = Hash
deed-person-added = added somebody
deed-person-roles = changed roles
deed-person-password = changed a password
deed-person-disabled = disabled somebody
deed-person-enabled = enabled somebody
deed-person-link = made a login link
deed-session-began = logged in
deed-session-ended = logged out
deed-audit-verified = verified the audit log
deed-recording-listened = listened to a recording
deed-recording-downloaded = downloaded a recording
deed-calls-exported = exported calls

storage-disk = The disk of the recordings
storage-database = Database
storage-recordings = Recordings of the last 30 days
storage-connected = Connected calls
storage-files = With a file
storage-hours = { $h } hours
storage-without = Without a recording
storage-removed = Gone on purpose
storage-held = Under legal hold
disk-fine = enough room
disk-low = little room
disk-tight = hardly any room
disk-full = full

health-good = The gateway is well and takes new calls.
health-version = Version
health-trunk = Trunk { $name }
trunk-up = up
trunk-down = down
metrics-text = Metrics for Prometheus.
metrics-name = Name
metrics-kind = Kind
metrics-labels = Labels
metrics-help = Meaning

calls-filter = Filter
calls-found = { $n ->
    [one] 1 call
   *[other] { $n } calls
}

outcome-answered = answered
outcome-short-abandoned = left at once
outcome-abandoned = abandoned
outcome-overflow = overflow
outcome-rejected = rejected
outcome-failed = failed
quality-rated = rated
quality-unanswered = unanswered
quality-short = too short
quality-one-way = one way
quality-low-sample = too few packets
quality-measured = measured
quality-no-media = no media
quality-pending = pending
quality-unmeasured = not measured
