"""What was sold with an order, as its settlement needs it, by one call whose plans PostgreSQL keeps.

* `store_tracks_sold` gives the tracks that came with lines, with what their certificates say of them.
* `store_sold` locks an order first and reads afterwards, so that it sees what the lock's last holder left. Of an order
  in one of the states `settled` it gives the order alone. `decided` are the decisions in force of the recordings sold,
  where they are not the ones that the sale was made on.

Neither decides anything or promises anything.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION store_tracks_sold(of_lines bigint[]) RETURNS TABLE(
    line_id bigint, decision_id bigint, recording_id bigint, track json, recording json, credits json,
    sound_sha256 text, decision_ref uuid, verdict_sha256 text, verdict json
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT s.line_id, s.decision_id, t.recording_id, json_build_object('id', t.id, 'title_override', t.title_override),
           json_build_object('id', r.id, 'public_id', r.public_id, 'title', r.title, 'version_title', r.version_title,
                             'isrc', r.isrc), (
               SELECT coalesce(json_agg(json_build_array(c.role, coalesce(nullif(c.credited_as, ''), p.name))
                                        ORDER BY c.position, c.id), '[]')
                 FROM catalog_credit c JOIN catalog_party p ON p.id = c.party_id WHERE c.recording_id = r.id),
           s.sound_sha256::text, d.public_id, d.verdict_sha256::text, d.verdict
      FROM store_orderlinetrack s
      JOIN catalog_track t ON t.id = s.track_id
      JOIN catalog_recording r ON r.id = t.recording_id
      JOIN licensing_clearancedecision d ON d.id = s.decision_id
     WHERE s.line_id = ANY(of_lines) ORDER BY s.line_id, s.position;
END $$;

CREATE FUNCTION store_sold(of_order bigint, settled text[], for_use text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    sale record;
    of_lines bigint[];
    tracks json;
    recordings bigint[];
    decisions bigint[];
    payees bigint[];
    taxes text[];
    holders text[];
BEGIN
    SELECT * INTO STRICT sale FROM store_order WHERE id = of_order FOR UPDATE;  -- lines hang on this one lock
    IF sale.state = ANY(settled) THEN
        RETURN json_build_object('order', row_to_json(sale));
    END IF;
    SELECT array_agg(id) INTO of_lines FROM store_orderline WHERE order_id = of_order;
    SELECT json_agg(one), array_agg(DISTINCT one.recording_id), array_agg(DISTINCT one.decision_id)
      INTO tracks, recordings, decisions FROM store_tracks_sold(of_lines) AS one;
    SELECT array_agg(DISTINCT (leg ->> 'payee')::bigint),
           array_agg(DISTINCT leg ->> 'label') FILTER (WHERE leg ->> 'kind' = 'TAX'),
           array_agg(DISTINCT leg ->> 'holder') FILTER (WHERE leg ->> 'payee' IS NULL AND leg ->> 'holder' IS NOT NULL)
      INTO payees, taxes, holders
      FROM store_orderline, jsonb_array_elements(split) AS leg WHERE order_id = of_order;
    RETURN json_build_object(
        'order', row_to_json(sale),
        'lines', (
            SELECT json_agg(json_build_object('line', row_to_json(l), 'decision', json_build_object(
                       'id', d.id, 'public_id', d.public_id, 'use', d.use, 'engine', d.engine, 'at', d.at,
                       'verdict_sha256', d.verdict_sha256)) ORDER BY l.position)
              FROM store_orderline l JOIN licensing_clearancedecision d ON d.id = l.decision_id
             WHERE l.order_id = of_order),
        'tracks', coalesce(tracks, '[]'),
        'decided', (
            SELECT coalesce(json_agg(json_build_object('id', d.id, 'recording_id', d.recording_id,
                       'cleared_countries', d.cleared_countries, 'verdict', d.verdict)), '[]')
              FROM unnest(recordings) AS one(recording)
              JOIN licensing_clearancedecision d ON d.id = (
                  SELECT id FROM licensing_clearancedecision
                   WHERE recording_id = one.recording AND use = for_use ORDER BY id DESC LIMIT 1)
             WHERE d.id <> ALL(decisions)),
        'accounts', (SELECT json_agg(a) FROM payments_chart(sale.currency, payees, taxes, holders) AS a),
        'advanced', EXISTS (
            SELECT FROM store_advance
             WHERE payee_id = ANY(payees) AND currency = sale.currency AND recouped_micros < amount_micros));
END $$;
"""
BACKWARD = """
DROP FUNCTION store_sold(bigint, text[], text);
DROP FUNCTION store_tracks_sold(bigint[]);
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0024_shelf_in_order"), ("payments", "0013_chart")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
