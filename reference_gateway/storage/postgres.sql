-- What PostgreSQL has beside the tables of schema.py: one function admits and closes a whole batch of requests in one transaction and one
-- round trip, so locks are held for no longer than it runs. Applied at a start that finds another version of this file applied, in one
-- transaction, under a lock: each statement may be repeated. A function's name carries its version, since during an upgrade old and new
-- processes share the database: what a function takes or answers is never changed, a new version is added.
--
-- Locks are taken in one order everywhere: the node's row, then the accounts' rows by name. A key belongs to one account, so whoever has
-- locked the account may change the key's row. Money is micro-USD, times are Unix milliseconds.

CREATE INDEX IF NOT EXISTS usage_by_key ON usage (key_id, created_ms) INCLUDE (cost_micro_usd);
CREATE INDEX IF NOT EXISTS open_holds_by_node ON open_holds (node);

-- The spend of a rolling window, kept as a sum so that no admission has to add up a week: all usage rows younger than aged_ms - span_ms.
CREATE TABLE IF NOT EXISTS window_sums (
    key_id text NOT NULL, span_ms bigint NOT NULL, spent_micro_usd bigint NOT NULL, aged_ms bigint NOT NULL, PRIMARY KEY (key_id, span_ms)
);


-- What a key has spent in the span before a_now_ms. a_keep: write the sum down; only for whoever has locked the account.
CREATE OR REPLACE FUNCTION gateway_window_1(a_key_id text, a_span_ms bigint, a_now_ms bigint, a_keep boolean) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    kept window_sums;
    aged bigint;
    total bigint;
BEGIN
    SELECT * INTO kept FROM window_sums WHERE key_id = a_key_id AND span_ms = a_span_ms;
    IF NOT FOUND THEN
        SELECT coalesce(sum(cost_micro_usd), 0) INTO total FROM usage WHERE key_id = a_key_id AND created_ms > a_now_ms - a_span_ms;
        IF a_keep THEN
            INSERT INTO window_sums VALUES (a_key_id, a_span_ms, total, a_now_ms);
        END IF;
        RETURN total;
    END IF;
    SELECT coalesce(sum(cost_micro_usd), 0) INTO aged FROM usage
        WHERE key_id = a_key_id AND created_ms > kept.aged_ms - a_span_ms AND created_ms <= a_now_ms - a_span_ms;
    IF a_keep AND aged > 0 THEN
        UPDATE window_sums SET spent_micro_usd = spent_micro_usd - aged, aged_ms = a_now_ms WHERE key_id = a_key_id AND span_ms = a_span_ms;
    END IF;
    RETURN kept.spent_micro_usd - aged;
END $$;


-- When the remaining of a window grows next: for an exhausted one, when it grows above zero; null where nothing was spent in it.
CREATE OR REPLACE FUNCTION gateway_window_resets_1(a_key_id text, a_span_ms bigint, a_now_ms bigint, a_limit bigint, a_spent bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT created_ms + a_span_ms FROM (
        SELECT created_ms, sum(cost_micro_usd) OVER (ORDER BY created_ms ROWS UNBOUNDED PRECEDING) AS gone
        FROM usage WHERE key_id = a_key_id AND created_ms > a_now_ms - a_span_ms
    ) AS spends WHERE a_spent - gone < a_limit ORDER BY created_ms LIMIT 1
$$;


-- How a key stands: its wallet, its own quota, and the limited window with the least remaining.
CREATE OR REPLACE FUNCTION gateway_standing_1(
    a_account text, a_key_id text, a_now_ms bigint, a_keep boolean,
    OUT topped_up bigint, OUT spent bigint, OUT held bigint, OUT quota bigint, OUT key_spent bigint, OUT key_held bigint,
    OUT window_span_ms bigint, OUT window_limit bigint, OUT window_spent bigint, OUT window_resets_ms bigint
) LANGUAGE plpgsql AS $$
DECLARE
    each record;
    within bigint;
    least_remaining bigint;
BEGIN
    SELECT topped_up_micro_usd, spent_micro_usd, held_micro_usd INTO topped_up, spent, held FROM accounts WHERE name = a_account;
    SELECT quota_micro_usd, spent_micro_usd, held_micro_usd INTO quota, key_spent, key_held FROM keys WHERE id = a_key_id;
    FOR each IN
        SELECT limits.* FROM keys, LATERAL (VALUES
            (5 * 3600000::bigint, limit_5h_micro_usd), (24 * 3600000::bigint, limit_1d_micro_usd), (168 * 3600000::bigint, limit_7d_micro_usd)
        ) AS limits (span_ms, micro_usd) WHERE id = a_key_id AND limits.micro_usd > 0
    LOOP
        within := gateway_window_1(a_key_id, each.span_ms, a_now_ms, a_keep);
        IF least_remaining IS NULL OR each.micro_usd - within < least_remaining THEN
            least_remaining := each.micro_usd - within;
            window_span_ms := each.span_ms;
            window_limit := each.micro_usd;
            window_spent := within;
        END IF;
    END LOOP;
    IF window_limit IS NOT NULL THEN
        window_resets_ms := gateway_window_resets_1(a_key_id, window_span_ms, a_now_ms, window_limit, window_spent);
    END IF;
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
        UPDATE window_sums SET spent_micro_usd = spent_micro_usd + within + beyond
            WHERE key_id = hold.key_id AND a_at_ms > aged_ms - span_ms;
    END IF;
    UPDATE accounts SET held_micro_usd = held_micro_usd - hold.amount_micro_usd, spent_micro_usd = spent_micro_usd + within + beyond
        WHERE name = hold.account;
    UPDATE keys SET held_micro_usd = held_micro_usd - hold.amount_micro_usd, spent_micro_usd = spent_micro_usd + within + beyond
        WHERE id = hold.key_id;
    RETURN within + beyond;
END $$;


-- One step of each request of the batch, in order. `step` is hold, settle or release; a verdict other than admitted, settled or released
-- has changed nothing. `cap` bounds the account's requests under way (0: do not count, they are counted elsewhere).
CREATE OR REPLACE FUNCTION gateway_step_1(a_node text, a_now_ms bigint, a_batch jsonb)
RETURNS TABLE (
    verdict text, charged bigint, topped_up bigint, spent bigint, held bigint, quota bigint, key_spent bigint, key_held bigint,
    window_span_ms bigint, window_limit bigint, window_spent bigint, window_resets_ms bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    item record;
    known boolean;
    suspended_ bigint;
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
            estimated bigint
        )
    LOOP
        charged := NULL;
        IF item.step = 'hold' THEN
            SELECT * INTO topped_up, spent, held, quota, key_spent, key_held, window_span_ms, window_limit, window_spent, window_resets_ms
                FROM gateway_standing_1(item.account, item.key_id, a_now_ms, true);
            SELECT suspended, CASE WHEN item.count THEN coalesce(max_concurrency, item.cap) ELSE 0 END INTO suspended_, cap_
                FROM accounts WHERE name = item.account;
            verdict := CASE
                WHEN NOT known THEN 'fenced'
                WHEN suspended_ IS DISTINCT FROM 0 OR NOT EXISTS (
                    SELECT FROM keys WHERE id = item.key_id AND account = item.account AND revoked = 0 AND deleted_ms IS NULL
                        AND (expires_ms IS NULL OR expires_ms > a_now_ms)) THEN 'key'
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
                        image_class, provider, channel)
                    VALUES (item.request_id, item.account, item.key_id, item.model, item.surface, item.input_tokens, item.output_tokens,
                        item.cache_read_tokens, item.cache_write_5m_tokens, item.cache_write_1h_tokens, charged, item.estimated, item.at_ms,
                        item.cost - charged, item.images, item.image_class, item.provider, item.channel);
            ELSE
                verdict := 'released';
            END IF;
            SELECT * INTO topped_up, spent, held, quota, key_spent, key_held, window_span_ms, window_limit, window_spent, window_resets_ms
                FROM gateway_standing_1(item.account, item.key_id, a_now_ms, true);
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
