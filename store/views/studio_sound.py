"""What was found in one master: its wave, its spectrum, its loudness, and what each finding means for the label."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.formats import number_format
from django.views.decorators.http import require_safe

from catalog.models import Party
from store.templatetags.shop import seconds_clock
from store.views.media import FOR_EVER
from store.views.review_case import HIGH, WIDE, wave
from store.views.studio import for_label, page
from transcoding import analysis, storage
from transcoding.models import Analysis, Likeness, Master

HUNDREDTHS, TENTHS = 100, 10
QUIETEST = -60.0  # LUFS, at the bottom of the curve
MARKS = 4  # on a scale, besides its beginning
NEARLY = 0.97  # of what a file could hold; the rest is the slope of the filter before it


@dataclass(frozen=True)
class Figure:
    """One number that was measured, and what it means."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Twin:
    """Another recording with this sound, or one like it; its title only where it is the label's own."""

    title: str
    url: str
    why: str


def _master(label: Party, public_id: UUID) -> Master:
    masters = Master.objects.select_related("recording", "upload", "analysis")
    return get_object_or_404(masters, public_id=public_id, recording__label=label)


@require_safe
@for_label
def sound(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    master = _master(label, public_id)
    measured = getattr(master, "analysis", None)
    return page(
        request, "sound", label=label, place="catalogue", master=master, measured=measured,
        findings=master.findings.order_by("-severity", "pk"), wave=wave(master.peaks), twins=_twins(label, master),
        figures=_figures(master, measured) if measured else (), curve=curve(measured.curve) if measured else "",
        level=_height(measured.loudness / TENTHS) if measured and measured.loudness is not None else None,
        scale=_scale(master.sample_rate), times=_times(master.seconds),
    )  # fmt: skip


@require_safe
@for_label
def spectrum(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    """The picture of the spectrum; its address changes with what it shows."""
    measured = getattr(_master(label, public_id), "analysis", None)
    if measured is None or not measured.spectrum_key:
        raise Http404("There is no picture of this sound.")
    length = storage.size(measured.spectrum_key)
    response = StreamingHttpResponse(storage.read_whole(measured.spectrum_key, length), content_type="image/png")
    response["Content-Length"] = str(length)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = FOR_EVER.replace("public", "private")
    return response


def _height(tenths: float) -> float:
    """Where a level (tenths of LUFS) stands between top and bottom."""
    return round(HIGH * max(0.0, min(1.0, tenths / TENTHS / QUIETEST)), 1)


def curve(levels: Sequence[int]) -> str:
    """The path of a loudness curve (tenths of LUFS), from nought at the top to QUIETEST at the bottom."""
    if not levels:
        return ""
    apart = WIDE / max(1, len(levels) - 1)
    return "M" + "L".join(f"{place * apart:.1f} {_height(level)}" for place, level in enumerate(levels))


def _scale(rate: int) -> list[str]:
    """Kilohertz beside the spectrum, from the top down."""
    return [_kilohertz(rate * part // (2 * MARKS)) if part else "0" for part in range(MARKS, -1, -1)]


def _times(seconds: float) -> list[str]:
    """Times under a plot, from the first second to the last; few enough for a phone."""
    return [seconds_clock(seconds * part / MARKS) or "0:00" for part in range(MARKS + 1)]


def _kilohertz(hertz: int) -> str:
    return str(number_format((hertz + 50) // 100 / 10, 1))


def _figures(master: Master, measured: Analysis) -> list[Figure]:
    found = []
    if measured.loudness is not None:
        found.append(
            Figure(
                "Loudness",
                f"{_number(measured.loudness)} LUFS",
                "The whole recording, as the ear weighs it. Players level it by the tags that downloads carry.",
            )
        )
    if measured.loudness_range is not None:
        found.append(
            Figure("Loudness range", f"{_number(measured.loudness_range)} LU", "From its quiet to its loud passages.")
        )
    if measured.true_peak is not None:
        found.append(
            Figure(
                "True peak",
                f"{_number(measured.true_peak)} dBTP",
                "The highest point between samples too. Above 0, players and lossy formats may clip.",
            )
        )
    if measured.cutoff_hz:
        top = master.sample_rate // 2
        whole = measured.cutoff_hz >= NEARLY * top
        found.append(
            Figure(
                "Sound up to",
                f"{_kilohertz(min(measured.cutoff_hz, top))} kHz",
                "All that the file can hold."
                if whole
                else f"The file could hold {_kilohertz(top)} kHz. Few people hear past 16.",
            )
        )
    if measured.true_depth:
        found.append(
            Figure(
                "Bits that move",
                f"{measured.true_depth} of {master.bit_depth}",
                "All of them, as it should be." if measured.true_depth == master.bit_depth else "The rest are noughts.",
            )
        )
    return found


def _number(hundredths: int) -> str:
    """With one decimal, and a minus that is as wide as a plus."""
    return str(number_format(round(hundredths / HUNDREDTHS, 1), 1)).replace("-", "−")  # noqa: RUF001


def _twins(label: Party, master: Master) -> list[Twin]:
    found = analysis.twins([master.pk])[master.pk]
    others = Master.objects.select_related("recording").in_bulk([key for key, _ in found])
    twins: dict[int, Twin] = {}
    for key, likeness in found:
        other = others[key].recording
        mine = other.label_id == label.pk
        twins.setdefault(
            other.pk,
            Twin(
                title=other.full_title if mine else "",
                url=reverse("studio-recording", args=[label.slug, other.public_id]) if mine else "",
                why=_why(likeness),
            ),
        )
    return list(twins.values())


def _why(likeness: Likeness | None) -> str:
    return "the very same sound" if likeness is None else f"nearly the same sound for {likeness.seconds} seconds"
