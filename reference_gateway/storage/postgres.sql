-- What PostgreSQL has beside the tables of schema.py: one function admits and closes a whole batch of requests in one transaction and one
-- round trip, so locks are held for no longer than it runs. Applied at a start that finds another version of this file applied, in one
-- transaction, under a lock: each statement may be repeated. A function's name carries its version, since during an upgrade old and new
-- processes share the database: what a function takes or answers is never changed, a new version is added.
--
-- Locks are taken in one order everywhere: the node's row, then the accounts' rows by name. A key belongs to one account, so whoever has
-- locked the account may change the key's row. Money is micro-USD, times are Unix milliseconds.

CREATE INDEX IF NOT EXISTS usage_by_key ON usage (key_id, created_ms) INCLUDE (cost_micro_usd);
CREATE INDEX IF NOT EXISTS open_holds_by_node ON open_holds (node);

-- What a key has spent in its three rolling windows, as sums, so that no admission has to add up a week: usage rows from oldest_... on. The
-- row comes with the key's first limit; a window without a limit is brought up to date when it gets one.
CREATE TABLE IF NOT EXISTS window_sums (
    key_id text PRIMARY KEY,
    spent_5h bigint NOT NULL, oldest_5h bigint, spent_1d bigint NOT NULL, oldest_1d bigint, spent_7d bigint NOT NULL, oldest_7d bigint
) WITH (fillfactor = 50);

-- What each key has spent on each model, so that nobody adds up its rows: kept by whoever writes one, of whatever version. The trigger comes
-- first and keeps others out of the table until the sums of what is there already are made.
CREATE TABLE IF NOT EXISTS model_sums (
    key_id text, model text, spent_micro_usd bigint NOT NULL, PRIMARY KEY (key_id, model)
) WITH (fillfactor = 50);

CREATE OR REPLACE FUNCTION gateway_used_1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model_sums AS sums VALUES (NEW.key_id, NEW.model, NEW.cost_micro_usd)
        ON CONFLICT (key_id, model) DO UPDATE SET spent_micro_usd = sums.spent_micro_usd + excluded.spent_micro_usd;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER gateway_used AFTER INSERT ON usage FOR EACH ROW EXECUTE FUNCTION gateway_used_1();

DELETE FROM model_sums;
INSERT INTO model_sums SELECT key_id, model, sum(cost_micro_usd) FROM usage GROUP BY key_id, model;


-- The sum of a window and its oldest spend, without what has left the window: a_oldest_ms is null where nothing was spent in it.
CREATE OR REPLACE FUNCTION gateway_age_1(a_key_id text, a_span_ms bigint, a_now_ms bigint, INOUT spent bigint, INOUT oldest bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    spent := spent - (SELECT coalesce(sum(cost_micro_usd), 0) FROM usage
        WHERE key_id = a_key_id AND created_ms >= oldest AND created_ms <= a_now_ms - a_span_ms);
    oldest := (SELECT min(created_ms) FROM usage WHERE key_id = a_key_id AND created_ms > a_now_ms - a_span_ms);
END $$;


-- When the remaining of an exhausted window grows above zero; null where it never does by itself.
CREATE OR REPLACE FUNCTION gateway_window_resets_1(a_key_id text, a_span_ms bigint, a_now_ms bigint, a_limit bigint, a_spent bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT created_ms + a_span_ms FROM (
        SELECT created_ms, sum(cost_micro_usd) OVER (ORDER BY created_ms ROWS UNBOUNDED PRECEDING) AS gone
        FROM usage WHERE key_id = a_key_id AND created_ms > a_now_ms - a_span_ms
    ) AS spends WHERE a_spent - gone < a_limit ORDER BY created_ms LIMIT 1
$$;


-- How a key stands: its wallet, its own quota, the limited window with the least remaining, and whether it may call at all. a_keep: write
-- down what has left the windows; only for whoever has locked the account.
CREATE OR REPLACE FUNCTION gateway_standing_1(
    a_account text, a_key_id text, a_now_ms bigint, a_keep boolean,
    OUT topped_up bigint, OUT spent bigint, OUT held bigint, OUT quota bigint, OUT key_spent bigint, OUT key_held bigint,
    OUT window_span_ms bigint, OUT window_limit bigint, OUT window_spent bigint, OUT window_resets_ms bigint,
    OUT usable boolean, OUT max_concurrency_ bigint
) LANGUAGE plpgsql AS $$
DECLARE
    spans CONSTANT bigint[] := ARRAY[5 * 3600000, 24 * 3600000, 168 * 3600000];
    limits bigint[];
    sums bigint[];
    oldest bigint[];
    counted boolean;
    aged record;
    changed boolean := false;
    tightest int;
BEGIN
    SELECT topped_up_micro_usd, a.spent_micro_usd, a.held_micro_usd, quota_micro_usd, k.spent_micro_usd, k.held_micro_usd, max_concurrency,
            suspended = 0 AND k.account = a_account AND revoked = 0 AND deleted_ms IS NULL AND (expires_ms IS NULL OR expires_ms > a_now_ms),
            ARRAY[limit_5h_micro_usd, limit_1d_micro_usd, limit_7d_micro_usd],
            ARRAY[spent_5h, spent_1d, spent_7d], ARRAY[oldest_5h, oldest_1d, oldest_7d], w.key_id IS NOT NULL
        INTO topped_up, spent, held, quota, key_spent, key_held, max_concurrency_, usable, limits, sums, oldest, counted
        FROM accounts AS a LEFT JOIN keys AS k ON k.id = a_key_id LEFT JOIN window_sums AS w ON w.key_id = a_key_id WHERE a.name = a_account;
    IF NOT 0 < ANY (limits) IS TRUE THEN
        RETURN;
    END IF;
    IF NOT counted THEN
        SELECT array_agg(of_.spent ORDER BY span), array_agg(of_.oldest ORDER BY span) INTO sums, oldest
            FROM unnest(spans) AS span, LATERAL (
                SELECT coalesce(sum(cost_micro_usd), 0)::bigint AS spent, min(created_ms) AS oldest
                FROM usage WHERE key_id = a_key_id AND created_ms > a_now_ms - span) AS of_;
        IF a_keep THEN
            INSERT INTO window_sums VALUES (a_key_id, sums[1], oldest[1], sums[2], oldest[2], sums[3], oldest[3]);
        END IF;
    END IF;
    FOR i IN 1..3 LOOP
        CONTINUE WHEN limits[i] = 0;
        IF oldest[i] <= a_now_ms - spans[i] THEN
            aged := gateway_age_1(a_key_id, spans[i], a_now_ms, sums[i], oldest[i]);
            sums[i] := aged.spent;
            oldest[i] := aged.oldest;
            changed := true;
        END IF;
        IF tightest IS NULL OR limits[i] - sums[i] < limits[tightest] - sums[tightest] THEN
            tightest := i;
        END IF;
    END LOOP;
    IF changed AND a_keep THEN
        UPDATE window_sums SET spent_5h = sums[1], oldest_5h = oldest[1], spent_1d = sums[2], oldest_1d = oldest[2], spent_7d = sums[3],
            oldest_7d = oldest[3] WHERE key_id = a_key_id;
    END IF;
    window_span_ms := spans[tightest];
    window_limit := limits[tightest];
    window_spent := sums[tightest];
    window_resets_ms := CASE WHEN window_spent < window_limit THEN oldest[tightest] + window_span_ms
        ELSE gateway_window_resets_1(a_key_id, window_span_ms, a_now_ms, window_limit, window_spent) END;
END $$;


-- Closes a hold, the account being locked: what is charged, or null where the hold is not open.
CREATE OR REPLACE FUNCTION gateway_close_1(a_request_id text, a_settle boolean, a_cost bigint, a_at_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    hold open_holds;
    within bigint := 0;
    beyond bigint := 0;
BEGIN
    DELETE FROM open_holds WHERE request_id = a_request_id RETURNING * INTO hold;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NOT a_settle THEN
        INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms)
            VALUES ('release', hold.account, hold.key_id, a_request_id, hold.amount_micro_usd, a_at_ms);
    ELSE
        within := least(a_cost, hold.amount_micro_usd);
        IF a_cost > within THEN  -- what it cost beyond its hold is charged as far as the wallet and the key's quota go
            SELECT least(a_cost - within, topped_up_micro_usd - accounts.spent_micro_usd - accounts.held_micro_usd,
                    CASE WHEN quota_micro_usd > 0 THEN greatest(0, quota_micro_usd - keys.spent_micro_usd - keys.held_micro_usd) END)
                INTO beyond FROM accounts LEFT JOIN keys ON keys.id = hold.key_id WHERE accounts.name = hold.account;
        END IF;
        INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms)
            VALUES ('settle', hold.account, hold.key_id, a_request_id, within, a_at_ms);
        IF beyond > 0 THEN
            INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms)
                VALUES ('adjust', hold.account, hold.key_id, a_request_id, beyond, a_at_ms);
        END IF;
        UPDATE window_sums SET spent_5h = spent_5h + within + beyond, oldest_5h = least(oldest_5h, a_at_ms),
            spent_1d = spent_1d + within + beyond, oldest_1d = least(oldest_1d, a_at_ms),
            spent_7d = spent_7d + within + beyond, oldest_7d = least(oldest_7d, a_at_ms) WHERE key_id = hold.key_id;
    END IF;
    UPDATE accounts SET held_micro_usd = held_micro_usd - hold.amount_micro_usd, spent_micro_usd = spent_micro_usd + within + beyond
        WHERE name = hold.account;
    UPDATE keys SET held_micro_usd = held_micro_usd - hold.amount_micro_usd, spent_micro_usd = spent_micro_usd + within + beyond
        WHERE id = hold.key_id;
    RETURN within + beyond;
END $$;


-- One step of each request of the batch, in order. `step` is hold, settle or release; a verdict other than admitted, settled or released
-- has changed nothing. `cap` bounds the account's requests under way (0: do not count, they are counted elsewhere).
CREATE OR REPLACE FUNCTION gateway_step_2(a_node text, a_now_ms bigint, a_batch jsonb)
RETURNS TABLE (
    verdict text, charged bigint, topped_up bigint, spent bigint, held bigint, quota bigint, key_spent bigint, key_held bigint,
    window_span_ms bigint, window_limit bigint, window_spent bigint, window_resets_ms bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    item record;
    known boolean;
    usable boolean;
    cap_ bigint;
BEGIN
    PERFORM 1 FROM nodes WHERE id = a_node FOR KEY SHARE;
    known := FOUND;
    PERFORM 1 FROM accounts
        WHERE name IN (SELECT each ->> 'account' FROM jsonb_array_elements(a_batch) AS each) ORDER BY name FOR UPDATE;
    FOR item IN
        SELECT * FROM jsonb_to_recordset(a_batch) AS x (
            step text, request_id text, account text, key_id text, amount bigint, task bigint, cap bigint, count boolean, cost bigint,
            at_ms bigint, model text, surface text, provider text, channel text, input_tokens bigint, output_tokens bigint,
            cache_read_tokens bigint, cache_write_5m_tokens bigint, cache_write_1h_tokens bigint, images bigint, image_class text,
            estimated bigint, searches bigint, video_seconds bigint
        )
    LOOP
        charged := NULL;
        IF item.step = 'hold' THEN
            SELECT * INTO topped_up, spent, held, quota, key_spent, key_held, window_span_ms, window_limit, window_spent, window_resets_ms,
                usable, cap_ FROM gateway_standing_1(item.account, item.key_id, a_now_ms, true);
            cap_ := CASE WHEN item.count THEN coalesce(cap_, item.cap) ELSE 0 END;
            verdict := CASE
                WHEN NOT known THEN 'fenced'
                WHEN usable IS NOT TRUE THEN 'key'
                WHEN cap_ > 0 AND cap_ <= (SELECT count(*) FROM open_holds WHERE account = item.account AND task = 0) THEN 'concurrency'
                WHEN window_spent + key_held >= window_limit THEN 'window'
                WHEN quota > 0 AND key_spent + key_held + item.amount > quota THEN 'quota'
                WHEN topped_up - spent - held < item.amount THEN 'wallet'
                ELSE 'admitted' END;
            IF verdict = 'admitted' THEN
                INSERT INTO ledger (kind, account, key_id, request_id, amount_micro_usd, at_ms)
                    VALUES ('hold', item.account, item.key_id, item.request_id, item.amount, item.at_ms)
                    ON CONFLICT (request_id, kind) DO NOTHING;
                IF NOT FOUND THEN
                    verdict := 'duplicate';
                ELSE
                    INSERT INTO open_holds (request_id, account, key_id, amount_micro_usd, at_ms, node, task)
                        VALUES (item.request_id, item.account, item.key_id, item.amount, item.at_ms, a_node, item.task);
                    UPDATE accounts SET held_micro_usd = held_micro_usd + item.amount WHERE name = item.account;
                    UPDATE keys SET held_micro_usd = held_micro_usd + item.amount WHERE id = item.key_id;
                    held := held + item.amount;
                    key_held := key_held + item.amount;
                END IF;
            END IF;
        ELSE
            charged := gateway_close_1(item.request_id, item.step = 'settle', item.cost, item.at_ms);
            IF charged IS NULL THEN
                -- Swept meanwhile, or this very step was taken before its connection broke.
                SELECT coalesce(sum(amount_micro_usd) FILTER (WHERE kind IN ('settle', 'adjust')), 0) INTO charged
                    FROM ledger WHERE request_id = item.request_id;
                verdict := 'closed';
            ELSIF item.step = 'settle' THEN
                verdict := 'settled';
                INSERT INTO usage (request_id, account, key_id, model, surface, input_tokens, output_tokens, cache_read_tokens,
                        cache_write_5m_tokens, cache_write_1h_tokens, cost_micro_usd, estimated, created_ms, loss_micro_usd, images,
                        image_class, provider, channel, searches, video_seconds)
                    VALUES (item.request_id, item.account, item.key_id, item.model, item.surface, item.input_tokens, item.output_tokens,
                        item.cache_read_tokens, item.cache_write_5m_tokens, item.cache_write_1h_tokens, charged, item.estimated, item.at_ms,
                        item.cost - charged, item.images, item.image_class, item.provider, item.channel, item.searches,
                        item.video_seconds);
            ELSE
                verdict := 'released';
            END IF;
            SELECT * INTO topped_up, spent, held, quota, key_spent, key_held, window_span_ms, window_limit, window_spent, window_resets_ms,
                usable, cap_ FROM gateway_standing_1(item.account, item.key_id, a_now_ms, true);
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;


-- Releases what a node that is no more has left open, and orphans the holds of tasks that live on; how many were released, or null where
-- another process is at it. a_seen_ms is the node's last sign of life as the caller knows it: if it has given another since, it lives.
CREATE OR REPLACE FUNCTION gateway_bury_1(a_node text, a_seen_ms bigint, a_now_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    released bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('wireproof gateway sweep')) THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM nodes WHERE id = a_node FOR UPDATE;
    IF FOUND AND NOT EXISTS (SELECT FROM nodes WHERE id = a_node AND seen_ms = a_seen_ms) THEN
        RETURN 0;
    END IF;
    PERFORM 1 FROM accounts WHERE name IN (SELECT account FROM open_holds WHERE node = a_node) ORDER BY name FOR UPDATE;
    SELECT count(gateway_close_1(request_id, false, 0, a_now_ms)) INTO released FROM (
        SELECT request_id FROM open_holds WHERE node = a_node AND NOT (
            task = 1 AND EXISTS (SELECT FROM tasks WHERE tasks.id = open_holds.request_id AND state IN ('pending', 'running')))
    ) AS left_open;
    UPDATE open_holds SET node = '' WHERE node = a_node;
    DELETE FROM nodes WHERE id = a_node;
    RETURN released;
END $$;


-- Moves a wallet by hand: `movement` is the new ledger row, or the one that has the same reference already; null for a debit it cannot pay.
CREATE OR REPLACE FUNCTION gateway_move_1(
    a_account text, a_kind text, a_signed bigint, a_reference text, a_source text, a_note text, a_now_ms bigint
) RETURNS SETOF ledger LANGUAGE plpgsql AS $$
DECLARE
    wallet accounts;
BEGIN
    INSERT INTO accounts (name, created_ms) VALUES (a_account, a_now_ms) ON CONFLICT (name) DO NOTHING;
    SELECT * INTO wallet FROM accounts WHERE name = a_account FOR UPDATE;
    RETURN QUERY SELECT * FROM ledger WHERE request_id = a_reference AND kind = a_kind;
    IF FOUND OR wallet.topped_up_micro_usd - wallet.spent_micro_usd - wallet.held_micro_usd + a_signed < 0 THEN
        RETURN;
    END IF;
    RETURN QUERY INSERT INTO ledger
            (kind, account, key_id, request_id, amount_micro_usd, at_ms, balance_after_micro_usd, source, note)
        VALUES (a_kind, a_account, '', a_reference, abs(a_signed), a_now_ms,
            wallet.topped_up_micro_usd - wallet.spent_micro_usd + a_signed, a_source, a_note)
        RETURNING *;
END $$;


-- Whoever writes a movement into the ledger, an operator's command too, has moved the wallet; a debit of more than is available fails.
CREATE OR REPLACE FUNCTION gateway_moved_1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    signed bigint := CASE NEW.kind WHEN 'admin_debit' THEN -NEW.amount_micro_usd ELSE NEW.amount_micro_usd END;
BEGIN
    INSERT INTO accounts (name, created_ms) VALUES (NEW.account, NEW.at_ms) ON CONFLICT (name) DO NOTHING;
    UPDATE accounts SET topped_up_micro_usd = topped_up_micro_usd + signed WHERE name = NEW.account;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER gateway_moved AFTER INSERT ON ledger
    FOR EACH ROW WHEN (NEW.balance_after_micro_usd IS NOT NULL) EXECUTE FUNCTION gateway_moved_1();
