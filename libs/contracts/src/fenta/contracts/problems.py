"""Stable problem codes of the public interface with their status and title (RFC 9457)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProblemType:
    code: str
    status: int
    title: str


def _types(status: int, **titles: str) -> list[ProblemType]:
    return [ProblemType(code, status, title) for code, title in titles.items()]


PROBLEMS: dict[str, ProblemType] = {
    problem.code: problem
    for problem in [
        *_types(
            400,
            invalid_json="The body is not valid JSON",
            unknown_parameter="Unknown query parameter",
            cursor_invalid="The cursor is not valid",
            idempotency_key_invalid="The idempotency key is not valid",
            token_invalid="The token is not valid",
        ),
        *_types(
            401,
            authentication_required="Sign in first",
            token_expired="The token has expired",
            token_revoked="The token was revoked",
            invalid_credentials="E-mail or password is wrong",
            refresh_token_reused="The refresh token was used before",
        ),
        *_types(
            402,
            insufficient_credits="Not enough credits",
            max_cost_too_low="The cost limit is too low",
            budget_exceeded="The budget is spent",
            limit_reached="A limit of the plan is reached",
        ),
        *_types(
            403,
            role_required="The role does not allow this",
            scope_required="The token does not allow this",
            plan_required="The plan does not allow this",
            session_required="Only a signed-in person may do this",
            org_mismatch="The token belongs to another organisation",
            org_suspended="The organisation is suspended",
        ),
        *_types(404, not_found="Not found"),
        *_types(405, method_not_allowed="Method not allowed"),
        *_types(406, not_acceptable="Not acceptable"),
        *_types(
            409,
            idempotency_in_flight="The first request still runs",
            email_taken="The e-mail address is taken",
            job_final="The job has ended",
            job_not_final="The job has not ended",
            job_not_failed="Only a failed or cancelled job can be retried",
        ),
        *_types(412, version_conflict="Somebody has saved it meanwhile"),
        *_types(413, body_too_large="The body is too large"),
        *_types(415, unsupported_media_type="Unsupported media type"),
        *_types(
            422,
            validation_failed="The request is not valid",
            unknown_field="Unknown field",
            idempotency_key_reused="The idempotency key was used for another request",
            source_ambiguous="Name exactly one source",
            graph_invalid="The workflow is not valid",
            model_unavailable="The model is not available",
            unpriced="A unit has no price",
            url_not_allowed="The address is not allowed",
            unknown_event_type="Unknown event type",
            language_unsupported="This language is not spoken yet",
            voice_not_found="Unknown voice",
        ),
        *_types(428, precondition_required="If-Match is missing"),
        *_types(
            429, rate_limited="Too many requests", too_many_jobs="Too many jobs", too_many_attempts="Too many attempts"
        ),
        *_types(500, internal_error="Something went wrong on our side"),
        *_types(503, service_unavailable="A service is away"),
        *_types(504, timeout="The answer took too long"),
    ]
}
