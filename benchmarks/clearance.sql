-- The made-up catalogue of benchmarks/clearance.py. Each statement stands under the step it is announced as.
-- Label 1 is the large one; recordings, works, masters and narrow grants share their numbers, ten to a release.

-- step: numbers, each with its label
CREATE UNLOGGED TABLE bench_numbers AS
SELECT n, CASE WHEN n <= %(large)s THEN 1
    ELSE 2 + (n::bigint - %(large)s - 1) * %(labels)s / (%(recordings)s - %(large)s) END AS label
FROM generate_series(1, %(recordings)s) AS n;

-- step: parties: labels, who are the writers and publishers too, and societies
INSERT INTO catalog_party (id, public_id, name, sort_name, slug, kind, ipi, url, created_at) SELECT n,
    gen_random_uuid(), 'Party ' || n, 'Party ' || n, 'party-' || n, 'ORGANISATION', '', '', %(now)s FROM (SELECT
    generate_series(1, %(last_label)s) AS n UNION ALL SELECT generate_series(%(first_society)s, %(first_society)s +
    %(societies)s - 1)) AS every_one;

-- step: holders
INSERT INTO licensing_rightsholder (id, public_id, created_at, party_id) SELECT id, gen_random_uuid(), %(now)s, id
    FROM catalog_party;

-- step: one agreement a holder
INSERT INTO licensing_instrument (id, public_id, kind, text, file, sha256, bytes, media_type, source_file_sha256,
    captured_at, captured_by) SELECT id, gen_random_uuid(), 'AGREEMENT', 'Agreement ' || id, '',
    encode(sha256(convert_to('Agreement ' || id, 'UTF8')), 'hex'), 20, 'text/plain', '', %(now)s, 'user:bob' FROM
    catalog_party;

-- step: recordings
INSERT INTO catalog_recording (id, public_id, title, version_title, p_line, language, genre, is_cover, is_remix,
    is_arrangement, contains_samples, created_at, label_id) SELECT n, gen_random_uuid(), 'Recording ' || n, '', '',
    '', '', false, false, false, false, %(now)s, label FROM bench_numbers;

-- step: works
INSERT INTO catalog_work (id, public_id, title, created_at) SELECT n, gen_random_uuid(), 'Work ' || n, %(now)s FROM
    bench_numbers;

-- step: works in recordings
INSERT INTO catalog_recordingwork (id, position, recording_id, work_id) SELECT n, 1, n, n FROM bench_numbers;

-- step: credits
INSERT INTO catalog_credit (id, role, credited_as, position, party_id, recording_id) SELECT n, 'MAIN_ARTIST', '', 1,
    label, n FROM bench_numbers;

-- step: shares in works
INSERT INTO catalog_workshare (id, role, mechanical_numerator, mechanical_denominator, performing_numerator,
    performing_denominator, created_at, party_id, work_id) SELECT n, 'CA', 1, 1, 1, 1, %(now)s, label, n FROM
    bench_numbers WHERE n %% 10 >= 3;

-- step: mandates of societies
INSERT INTO catalog_societymembership (id, "right", territory_mode, territories, online_excluded, created_at,
    party_id, society_id) SELECT n, 'MECHANICAL', 'WORLD_EXCEPT', '{}', false, %(now)s, n, %(first_society)s + n %%
    %(societies)s FROM generate_series(1, %(last_label)s) AS n;

-- step: releases
INSERT INTO catalog_release (id, public_id, title, slug, kind, c_line, p_line, genre, language, description,
    created_at, label_id) SELECT n / %(on_release)s, gen_random_uuid(), 'Release ' || n / %(on_release)s, 'release-'
    || n / %(on_release)s, 'ALBUM', '', '', '', '', '', %(now)s - interval '1 minute' * ((n::bigint * 7919) %%
    %(recordings)s), label FROM bench_numbers WHERE n %% %(on_release)s = 0;

-- step: tracks
INSERT INTO catalog_track (id, disc, number, title_override, recording_id, release_id) SELECT n, 1, 1 + (n - 1) %%
    %(on_release)s, '', n, (n - 1) / %(on_release)s + 1 FROM bench_numbers;

-- step: masters
INSERT INTO transcoding_master (id, public_id, storage_key, file_sha256, sound_sha256, container, codec, lossless,
    sample_rate, bit_depth, channels, samples, bytes, peaks, loudest_second, state, created_at, fence, attempts, permille,
    recording_id, upload_id, accepted_at) SELECT n, gen_random_uuid(), 'masters/' || n,
    encode(sha256(convert_to('sound ' || n, 'UTF8')), 'hex'), encode(sha256(convert_to('sound ' || n, 'UTF8')),
    'hex'), 'flac', 'flac', true, 44100, 16, 2, 1000000, 1000000, '{}', 0, 'ACCEPTED', %(now)s, 0, 0, 1000, n, n, %(now)s
    FROM bench_numbers;

-- step: a record for each recording outside the large label
INSERT INTO licensing_licencegrant (id, record_id, version, layer, material, recording_id, work_id, catalogue_id,
    licensee, basis, licence_url, licence_statement, uses, territory_mode, territories, dates_as_given, starts_on,
    ends_on, exclusive, share_numerator, share_denominator, drm_required, edits_allowed, redownload_rule,
    free_consent, price_currency, cmo_status, cmo_name, cmo_licence_number, cmo_mandate_proven, cmo_in_repertoire,
    statutory_condition_met, submitted_by, submitted_for_id, created_at, licensor_id, agreement, tariff) SELECT n,
    gen_random_uuid(), 1, 'RECORDING', '', n, NULL, NULL, 'STORE', 'DIRECT', '', '', ARRAY['PERMANENT_DOWNLOAD',
    'PREVIEW', 'REDOWNLOAD'], CASE WHEN label %% 200 = 7 THEN 'ONLY' ELSE 'WORLD_EXCEPT' END, CASE WHEN label %% 200
    = 7 THEN ARRAY['AT', 'CH', 'DE'] WHEN label %% 50 = 3 THEN ARRAY['CA', %(rare)s, 'US'] WHEN label %% 100 <> 11
    THEN ARRAY[%(rare)s]::text[] ELSE '{}'::text[] END, '', NULL, CASE WHEN n %% 20 = 0 THEN DATE '2031-12-31' END,
    false, 1, 1, false, false, 'ALWAYS', false, '', 'UNKNOWN', '', '', false, false, false, 'user:bob', NULL,
    %(now)s, label, '', '' FROM bench_numbers WHERE label > 1;

-- step: a record for three works in ten
INSERT INTO licensing_licencegrant (id, record_id, version, layer, material, recording_id, work_id, catalogue_id,
    licensee, basis, licence_url, licence_statement, uses, territory_mode, territories, dates_as_given, starts_on,
    ends_on, exclusive, share_numerator, share_denominator, drm_required, edits_allowed, redownload_rule,
    free_consent, price_currency, cmo_status, cmo_name, cmo_licence_number, cmo_mandate_proven, cmo_in_repertoire,
    statutory_condition_met, submitted_by, submitted_for_id, created_at, licensor_id, agreement, tariff) SELECT
    %(recordings)s + n, gen_random_uuid(), 1, 'WORK', '', NULL, n, NULL, 'STORE', 'DIRECT', '', '',
    ARRAY['PERMANENT_DOWNLOAD', 'PREVIEW', 'REDOWNLOAD'], 'WORLD_EXCEPT', '{}'::text[], '', NULL, CASE WHEN
    %(recordings)s + n %% 20 = 0 THEN DATE '2031-12-31' END, false, 1, 1, false, false, 'ALWAYS', false, '',
    'UNKNOWN', '', '', false, false, false, 'user:bob', NULL, %(now)s, label, '', '' FROM bench_numbers WHERE n %%
    10 < 3;

-- step: a record for the large label's catalogue, and one for each society's
INSERT INTO licensing_licencegrant (id, record_id, version, layer, material, recording_id, work_id, catalogue_id,
    licensee, basis, licence_url, licence_statement, uses, territory_mode, territories, dates_as_given, starts_on,
    ends_on, exclusive, share_numerator, share_denominator, drm_required, edits_allowed, redownload_rule,
    free_consent, price_currency, cmo_status, cmo_name, cmo_licence_number, cmo_mandate_proven, cmo_in_repertoire,
    statutory_condition_met, submitted_by, submitted_for_id, created_at, licensor_id, agreement, tariff) SELECT
    %(first_wide)s, gen_random_uuid(), 1, 'RECORDING', '', NULL, NULL, 1, 'STORE', 'DIRECT', '', '',
    ARRAY['PERMANENT_DOWNLOAD', 'PREVIEW', 'REDOWNLOAD'], 'WORLD_EXCEPT', '{}'::text[], '', NULL, CASE WHEN
    %(first_wide)s %% 20 = 0 THEN DATE '2031-12-31' END, false, 1, 1, false, false, 'ALWAYS', false, '', 'UNKNOWN',
    '', '', false, false, false, 'user:bob', NULL, %(now)s, 1, '', '' FROM (SELECT 1 AS label) AS one;

-- step: societies' records
INSERT INTO licensing_licencegrant (id, record_id, version, layer, material, recording_id, work_id, catalogue_id,
    licensee, basis, licence_url, licence_statement, uses, territory_mode, territories, dates_as_given, starts_on,
    ends_on, exclusive, share_numerator, share_denominator, drm_required, edits_allowed, redownload_rule,
    free_consent, price_currency, cmo_status, cmo_name, cmo_licence_number, cmo_mandate_proven, cmo_in_repertoire,
    statutory_condition_met, submitted_by, submitted_for_id, created_at, licensor_id, agreement, tariff) SELECT
    %(first_wide)s + n, gen_random_uuid(), 1, 'WORK', '', NULL, NULL, %(first_society)s + n - 1, 'STORE', 'CMO', '',
    '', ARRAY['PERMANENT_DOWNLOAD', 'PREVIEW', 'REDOWNLOAD'], 'WORLD_EXCEPT', '{}'::text[], '', NULL, CASE WHEN
    %(first_wide)s + n %% 20 = 0 THEN DATE '2031-12-31' END, false, 1, 1, false, false, 'ALWAYS', false, '',
    'UNKNOWN', '', '', true, false, false, 'user:bob', NULL, %(now)s, %(first_society)s + n - 1, '', '' FROM
    generate_series(1, %(societies)s) AS n;

-- step: evidence
INSERT INTO licensing_grantevidence (id, instrument_id, grant_id) SELECT id, licensor_id, id FROM
    licensing_licencegrant;

-- step: reviews
INSERT INTO licensing_review (id, outcome, reason, reviewer, reviewer_labels, evidence_sha256, sound_sha256, at,
    grant_id, second_needed) SELECT id, 'APPROVED', '', 'user:rita', '{}',
    encode(sha256(convert_to(encode(sha256(convert_to('Agreement ' || licensor_id, 'UTF8')), 'hex'), 'UTF8')),
    'hex'), CASE WHEN recording_id IS NULL THEN '' ELSE encode(sha256(convert_to('sound ' || recording_id, 'UTF8')),
    'hex') END, %(now)s, id, false FROM licensing_licencegrant;

-- step: counters
SELECT setval(pg_get_serial_sequence('licensing_licencegrant', 'id'), max(id)) FROM licensing_licencegrant;

-- step: counters
SELECT setval(pg_get_serial_sequence('licensing_review', 'id'), max(id)) FROM licensing_review;
