//! The documented behaviour, rule by rule; where the documentation leaves a choice, the first reading.

use std::time::Duration;

use super::{
    Access, AllFailed, Atomicity, BodyForm, Bounds, Carried, ClearList, ClearReach, CodeRules, Counter, DeleteMissing,
    DeleteReach, DuplicateKeys, EmptyValue, Fields, FromOmitted, Gate, Gone, Info, ItemForm, KeyMatch, KeySpace, LimitPlace,
    LimitRules, Measure, Order, Partial, Rules, SeqMatch, SeqRules, StatusWords, Swapped, ValueKept, Wire, Writes,
};
use crate::api::MemberCalls;
use crate::api::call::{MAX_KEY_BYTES, MAX_KVS, MAX_KVS_PER_MESSAGE, MAX_VALUE_BYTES};
use crate::api::code;
use crate::model::limiter::{Algorithm, Limit, Scope};

impl Default for Rules {
    #[expect(clippy::too_many_lines, reason = "one line a rule")]
    fn default() -> Rules {
        Rules {
            bounds: Bounds {
                kvs_per_set: MAX_KVS,
                kvs_per_delete: MAX_KVS,
                key_bytes: MAX_KEY_BYTES,
                value_bytes: MAX_VALUE_BYTES,
                key_measure: Measure::Bytes,
                value_measure: Measure::Bytes,
                kvs_per_message: MAX_KVS_PER_MESSAGE,
            },
            codes: CodeRules::default(),
            gate: Gate {
                post_only: true,
                checks_app: true,
                checks_content_type: true,
                random: Some((0, u64::from(u32::MAX))),
                checks_sig_app: true,
                checks_sig_identifier: true,
                checks_sig_expiry: true,
                checks_sig_hmac: true,
                takes_empty_sig: false,
                takes_damaged_sig: false,
            },
            fields: Fields {
                from_required: false,
                to_required: true,
                msg_key_required: true,
                unknown_operation_sets: false,
                missing_operation_sets: false,
                list_required: true,
                takes_empty_list: false,
                clear_refuses_list: false,
                key_required: true,
                value_required: true,
                delete_value_required: false,
                seq_required_of_members: true,
                seq_required_of_admins: false,
                refuses_unknown_fields: false,
                refuses_unknown_pair_fields: false,
                coerces_types: false,
                empty_value: EmptyValue::Stored,
                duplicate_keys: DuplicateKeys::LastWins,
                refuses_negative_seq: false,
                applies_refused: false,
                lenient_json: false,
            },
            access: Access {
                members: MemberCalls::Identifier,
                strangers_may: false,
                recipient_may: true,
                members_may_clear: true,
                strangers_may_clear: false,
                from_omitted: FromOmitted::AnySender,
                swapped: Swapped::NotFound,
                creates_missing_message: false,
                ignores_missing_support: false,
                ignores_missing_plan: false,
                every_identifier_is_admin: false,
            },
            seq: SeqRules {
                counter: Counter::PerKey,
                first: 1,
                step: 1,
                matches: SeqMatch::Equal,
                fresh_key_takes_any: false,
                own_key_takes_any: false,
                same_value_takes_any: false,
                checks_admin: false,
                checks_delete: true,
                admin_write_grows: true,
                same_value_grows: true,
                carried: Carried::Current,
                conflict_writes: false,
                conflict_grows: false,
                deleted_key: Gone::Tombstone,
                cleared_key: Gone::Reset,
            },
            writes: Writes {
                partial: Partial::PerKey,
                keys: KeyMatch::Exact,
                values: ValueKept::Exact,
                key_space: KeySpace::Message,
                set_replaces_all: false,
                delete_reach: DeleteReach::Named,
                delete_missing: DeleteMissing::Succeeds,
                delete_needs_value: false,
                clear_reach: ClearReach::Message,
                clear_list: ClearList::Absent,
                clear_of_nothing_fails: false,
                set_undoes_clear: false,
                pairs_kept_at_most: usize::MAX,
                request: Atomicity::Atomic,
                clear: Atomicity::Atomic,
                order: Order::Request,
                all_failed: AllFailed::Ok,
                results_at_most: usize::MAX,
                drops_failed_results: false,
                loses_one_in: None,
                internal_error_every: None,
                internal_error_applies: false,
            },
            limits: LimitRules {
                app: Some(Limit {
                    scope: Scope::App,
                    ..Limit::new(Algorithm::FixedWindowAligned { phase: Duration::ZERO }, 200, Duration::from_secs(1))
                }),
                message: Some(Limit { scope: Scope::Message, ..Limit::new(Algorithm::SlidingLog, 200, Duration::from_mins(1)) }),
                place: LimitPlace::Top,
                counts_delete: true,
                counts_clear: true,
                counts_invalid: false,
                callers_apart: false,
                applies_refused: false,
            },
            wire: Wire {
                refusal_status: 200,
                status_words: StatusWords::Documented,
                item: ItemForm::Wrapped,
                codes_as_strings: false,
                seqs_as_strings: false,
                info: Info::Reason,
                list_name: "ExtensionList",
                extra_fields: false,
                echoes_sent_value: false,
                body: BodyForm::Json,
            },
        }
    }
}

impl Default for CodeRules {
    fn default() -> CodeRules {
        CodeRules {
            internal: code::INTERNAL,
            invalid: code::INVALID,
            no_plan: code::NO_PLAN,
            seq_conflict: code::SEQ_CONFLICT,
            unsupported: code::UNSUPPORTED,
            message_limit: code::TOO_OFTEN,
            no_message: code::NOT_FOUND,
            no_key: code::NOT_FOUND,
            outsider: code::INVALID,
            not_admin: code::NOT_ADMIN,
            bad_json: code::BAD_JSON,
            wrong_type: code::INVALID,
            app_limit: code::APP_TOO_OFTEN,
            method: code::BAD_URL,
            path: code::UNKNOWN_PATH,
            bad_query: code::BAD_QUERY,
            no_sdkappid: code::NO_SDKAPPID,
            unknown_app: code::UNKNOWN_APP,
            sig_damaged: code::SIG_ILLEGAL,
            sig_forged: code::SIG_FORGED,
            sig_expired: code::SIG_EXPIRED,
            sig_identifier: code::SIG_IDENTIFIER,
            sig_app: code::SIG_APP,
        }
    }
}
