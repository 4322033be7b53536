CREATE TABLE accounts (
	name TEXT NOT NULL,
	suspended INTEGER DEFAULT 0 NOT NULL,
	max_concurrency INTEGER,
	topped_up_micro_usd INTEGER DEFAULT 0 NOT NULL,
	spent_micro_usd INTEGER DEFAULT 0 NOT NULL,
	held_micro_usd INTEGER DEFAULT 0 NOT NULL,
	created_ms INTEGER NOT NULL,
	PRIMARY KEY (name),
	CONSTRAINT accounts_never_overdrawn CHECK (topped_up_micro_usd - spent_micro_usd - held_micro_usd >= 0)
)
 STRICT;
CREATE TABLE keys (
	id TEXT NOT NULL,
	hash BLOB NOT NULL,
	mask TEXT NOT NULL,
	account TEXT NOT NULL,
	name TEXT DEFAULT '' NOT NULL,
	group_id TEXT NOT NULL,
	quota_micro_usd INTEGER DEFAULT 0 NOT NULL,
	limit_5h_micro_usd INTEGER DEFAULT 0 NOT NULL,
	limit_1d_micro_usd INTEGER DEFAULT 0 NOT NULL,
	limit_7d_micro_usd INTEGER DEFAULT 0 NOT NULL,
	ip_allow TEXT DEFAULT '[]' NOT NULL,
	ip_deny TEXT DEFAULT '[]' NOT NULL,
	expires_ms INTEGER,
	revoked INTEGER DEFAULT 0 NOT NULL,
	deleted_ms INTEGER,
	declared INTEGER DEFAULT 0 NOT NULL,
	created_ms INTEGER NOT NULL,
	changed_ms INTEGER DEFAULT 0 NOT NULL,
	spent_micro_usd INTEGER DEFAULT 0 NOT NULL,
	held_micro_usd INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (hash)
)
 STRICT;
CREATE INDEX keys_by_account ON keys (account);
CREATE INDEX keys_by_change ON keys (changed_ms);
CREATE TABLE ledger (
	id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	account TEXT NOT NULL,
	key_id TEXT NOT NULL,
	request_id TEXT NOT NULL,
	amount_micro_usd INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,
	balance_after_micro_usd INTEGER,
	source TEXT,
	note TEXT,
	PRIMARY KEY (id),
	UNIQUE (request_id, kind),
	CONSTRAINT ledger_amount_is_unsigned CHECK (amount_micro_usd >= 0)
)
 STRICT;
CREATE INDEX ledger_movements ON ledger (account, id) WHERE balance_after_micro_usd IS NOT NULL;
CREATE TABLE nodes (
	id TEXT NOT NULL,
	started_ms INTEGER NOT NULL,
	seen_ms INTEGER NOT NULL,
	PRIMARY KEY (id)
)
 STRICT;
CREATE TABLE open_holds (
	request_id TEXT NOT NULL,
	account TEXT NOT NULL,
	key_id TEXT NOT NULL,
	amount_micro_usd INTEGER NOT NULL,
	at_ms INTEGER NOT NULL,
	node TEXT NOT NULL,
	task INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY (request_id)
)
 STRICT;
CREATE INDEX open_holds_by_account ON open_holds (account);
CREATE TABLE prices (
	model TEXT NOT NULL,
	valid_from_ms INTEGER NOT NULL,
	input INTEGER NOT NULL,
	output INTEGER NOT NULL,
	cache_read INTEGER NOT NULL,
	cache_write_5m INTEGER NOT NULL,
	cache_write_1h INTEGER NOT NULL,
	images TEXT DEFAULT '{}' NOT NULL,
	search INTEGER DEFAULT 0 NOT NULL,
	video_second INTEGER DEFAULT 0 NOT NULL,
	video_submit INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY (model, valid_from_ms)
)
 STRICT;
CREATE TABLE snapshots (
	id INTEGER NOT NULL,
	ledger_id INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (id)
)
 STRICT;
CREATE TABLE tasks (
	id TEXT NOT NULL,
	account TEXT NOT NULL,
	key_id TEXT NOT NULL,
	out_task_id TEXT,
	fingerprint TEXT NOT NULL,
	model TEXT NOT NULL,
	params TEXT NOT NULL,
	state TEXT NOT NULL,
	callback_url TEXT,
	callback_attempts INTEGER DEFAULT 0 NOT NULL,
	callback_due_ms INTEGER,
	estimated_micro_usd INTEGER NOT NULL,
	charged_micro_usd INTEGER,
	output TEXT,
	error_code TEXT,
	error_message TEXT,
	node TEXT DEFAULT '' NOT NULL,
	created_ms INTEGER NOT NULL,
	started_ms INTEGER,
	finished_ms INTEGER,
	PRIMARY KEY (id),
	UNIQUE (key_id, out_task_id)
)
 STRICT;
CREATE INDEX tasks_by_state ON tasks (state);
CREATE INDEX tasks_to_call_back ON tasks (callback_due_ms) WHERE callback_due_ms IS NOT NULL;
CREATE TABLE usage (
	request_id TEXT NOT NULL,
	account TEXT NOT NULL,
	key_id TEXT NOT NULL,
	model TEXT NOT NULL,
	surface TEXT NOT NULL,
	input_tokens INTEGER NOT NULL,
	output_tokens INTEGER NOT NULL,
	cache_read_tokens INTEGER NOT NULL,
	cache_write_5m_tokens INTEGER NOT NULL,
	cache_write_1h_tokens INTEGER NOT NULL,
	cost_micro_usd INTEGER NOT NULL,
	estimated INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	loss_micro_usd INTEGER DEFAULT 0 NOT NULL,
	images INTEGER DEFAULT 0 NOT NULL,
	image_class TEXT DEFAULT 'default' NOT NULL,
	provider TEXT DEFAULT '' NOT NULL,
	channel TEXT DEFAULT '' NOT NULL,
	searches INTEGER DEFAULT 0 NOT NULL,
	video_seconds INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY (request_id)
)
 WITHOUT ROWID,
 STRICT;
CREATE INDEX usage_by_account ON usage (account, created_ms);
