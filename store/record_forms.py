"""The form in which a label says what a licence record says; the import of tables (CSV) asks the same questions.

Everything that a record can say is here once, so that a form's field and a table's column refuse the same things in
the same words. Whether the record is good enough is for the reviewer.
"""

from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from django import forms

from catalog.codes import IPI
from catalog.errors import CodeError
from licensing import licences
from licensing.judgements import EVIDENCE_FOR_BASIS
from licensing.models import LicenceGrant
from licensing.terms import Basis, CmoStatus, EvidenceKind, Layer, Material, RedownloadRule, TerritoryMode, Use
from payments.errors import CurrencyError
from payments.money import Currency
from store import records
from store.forms import TermsForm
from store.models import MOST_MINOR
from store.record_fields import PapersField, ShareField, share_text

SALE = (Use.PERMANENT_DOWNLOAD, Use.PREVIEW, Use.REDOWNLOAD)
CMO_WORDS = {
    CmoStatus.UNKNOWN: "We have not asked the writers",
    CmoStatus.NOT_BOUND: "No writer is bound by an exclusive mandate to a society",
    CmoStatus.CARVED_OUT: "The writers kept this right out of their society's mandate",
    CmoStatus.EXCLUSIVE: "A society holds this right exclusively",
}
REDOWNLOAD_WORDS = {
    RedownloadRule.ALWAYS: "They may always fetch their files again",
    RedownloadRule.NOTICE_PERIOD: "They have a notice period to fetch their files",
    RedownloadRule.NEVER: "They may not fetch their files again",
}
MATERIAL_WORDS = {
    Material.COVER: "a cover",
    Material.SAMPLE: "a sample",
    Material.REMIX: "a remix",
    Material.ARRANGEMENT: "an arrangement",
}
TEXT_KINDS = frozenset({EvidenceKind.LICENCE_PAGE, EvidenceKind.STATEMENT, EvidenceKind.DECLARATION})


class RecordForm(TermsForm):
    """All that one licence record says, and the evidence for it. `kept` are the kinds of evidence it has already."""

    layer = forms.ChoiceField(
        label="Which right", choices=list(records.LAYERS.items()), initial=Layer.RECORDING, required=False
    )
    material = forms.ChoiceField(
        label="Other people's music in it",
        choices=[("", "None: this is about the recording or work itself"), *MATERIAL_WORDS.items()],
        required=False,
        help_text="A sample or remix needs a record of its own from whoever holds it.",
    )
    licensor = forms.CharField(
        label="Granted by", max_length=500, required=False, help_text="Who holds the right. Empty: your label."
    )
    licensor_ipi = forms.CharField(
        label="Their IPI name number", max_length=20, required=False, help_text="11 digits, of a writer or publisher."
    )
    basis = forms.ChoiceField(
        label="Rests on",
        choices=[
            (basis.value, "Public licence (Creative Commons and the like)" if basis is Basis.PUBLIC_LICENCE else word)
            for basis in Basis
            for word in [records.BASES[basis]]
        ],
        initial=Basis.DIRECT,
    )
    agreement = forms.CharField(
        label="Agreement number", max_length=100, required=False,
        help_text="The same for all records that rest on one agreement.",
    )  # fmt: skip
    licence = forms.CharField(
        label="Licence", max_length=300, required=False,
        help_text="The licence's address, as you have it: https://creativecommons.org/licenses/by/4.0/. It is kept as "
        "given; nobody fetches it.",
    )  # fmt: skip
    uses = forms.MultipleChoiceField(
        label="Uses", choices=[(use, word.capitalize()) for use, word in records.USES.items()],
        initial=[use.value for use in SALE], widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    share = ShareField(
        label="Share of the right", required=False, initial="100 %", help_text="Percent or fraction: 33.5 % or 1/3."
    )
    exclusive = forms.BooleanField(
        label="Exclusive: nobody else may license this right here in this time", required=False
    )
    price_minimum = forms.CharField(
        label="Lowest price per track", max_length=20, required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "size": 8}),
    )  # fmt: skip
    price_currency = forms.CharField(label="Currency", max_length=3, required=False)
    redownload_rule = forms.ChoiceField(
        label="Past buyers, once it has ended", choices=list(REDOWNLOAD_WORDS.items()), initial=RedownloadRule.ALWAYS,
        required=False,
    )  # fmt: skip
    preview_max_seconds = forms.IntegerField(
        label="Longest preview, seconds", min_value=1, max_value=600, required=False
    )
    edits_allowed = forms.BooleanField(label="Edits are allowed: cuts, fades, remasters", required=False)
    free_consent = forms.BooleanField(
        label="Free downloads by this store are agreed to, although the licence forbids commercial use", required=False
    )
    drm_required = forms.BooleanField(
        label="Copy protection is demanded (this store has none, so nothing is sold on such a record)", required=False
    )
    cmo_status = forms.ChoiceField(
        label="The writers and their societies", choices=list(CMO_WORDS.items()), initial=CmoStatus.UNKNOWN,
        required=False, help_text="Asked for works under a public licence. Your answer is kept as your declaration.",
    )  # fmt: skip
    cmo_name = forms.CharField(label="Society", max_length=100, required=False)
    cmo_licence_number = forms.CharField(label="Licence number", max_length=100, required=False)
    cmo_mandate_proven = forms.BooleanField(
        label="The evidence shows the society's mandate for this repertoire", required=False
    )
    cmo_in_repertoire = forms.BooleanField(label="The evidence names this work in the repertoire", required=False)
    statutory_condition_met = forms.BooleanField(
        label="The statute's condition is met: the work was issued there before with leave", required=False
    )
    tariff = forms.CharField(label="Tariff", max_length=40, required=False, help_text="By which its price is reckoned.")
    evidence_kind = forms.ChoiceField(
        label="The evidence is",
        choices=[
            (kind.value, records.EVIDENCE[kind]) for kind in EvidenceKind if kind is not EvidenceKind.TAG_STATEMENT
        ],
        initial=EvidenceKind.AGREEMENT,
        required=False,
    )
    papers = PapersField(
        label="Files", required=False, help_text="PDF, scan, saved web page or text; at most 25 MB each."
    )
    evidence_text = forms.CharField(
        label="Or its words", max_length=50_000, required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Paste the licence page's text, or what was declared.",
    )  # fmt: skip

    def __init__(self, *args: Any, kept: Collection[str] = (), layers: Collection[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.kept = frozenset(kept)
        self.layers = frozenset(layers or Layer)

    def clean_licensor_ipi(self) -> str:
        text: str = self.cleaned_data["licensor_ipi"].strip()
        try:
            return IPI.parse(text).text if text else ""
        except CodeError as refusal:
            raise forms.ValidationError(str(refusal), code=refusal.code) from None

    def clean_price_currency(self) -> str:
        code: str = self.cleaned_data["price_currency"].strip().upper()
        try:
            return Currency(code).code if code else ""
        except CurrencyError as refusal:
            raise forms.ValidationError(str(refusal), code="currency") from None

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        data["share"] = data.get("share") or Fraction(1)
        data["layer"] = data.get("layer") or min(self.layers)
        data["redownload_rule"] = data.get("redownload_rule") or RedownloadRule.ALWAYS.value
        data["cmo_status"] = data.get("cmo_status") or CmoStatus.UNKNOWN.value
        self._clean_layer(data)
        self._clean_price(data)
        self._clean_basis(data)
        return data

    def _clean_layer(self, data: dict[str, Any]) -> None:
        if data["layer"] not in self.layers and not (data.get("material") and Layer.RECORDING in self.layers):
            self.add_error("layer", f"This is not about the {records.LAYERS[data['layer']].lower()}; choose the other.")

    def _clean_price(self, data: dict[str, Any]) -> None:
        text, code = data.get("price_minimum", "").strip(), data.get("price_currency", "")
        data["price_minimum_minor"] = None
        if text and not code and "price_currency" not in self.errors:
            self.add_error("price_currency", "Name the currency of the lowest price, such as EUR.")
        if not text or not code:
            return
        try:
            minor = Decimal(text.replace(",", ".")).scaleb(Currency(code).exponent)
        except InvalidOperation:
            self.add_error("price_minimum", f"Write an amount such as 1.00; “{text}” is none.")
            return
        if not minor.is_finite() or minor != minor.to_integral_value() or not 0 <= minor <= MOST_MINOR:
            self.add_error("price_minimum", f"Write an amount with {Currency(code).exponent} decimals at most.")
            return
        data["price_minimum_minor"] = int(minor)

    def _clean_basis(self, data: dict[str, Any]) -> None:
        basis = data.get("basis")
        if basis == Basis.PUBLIC_LICENCE and not data.get("licence"):
            self.add_error("licence", "Give the licence's address, with its version.")
        if basis == Basis.CMO and not (data.get("cmo_licence_number") or data.get("agreement")):
            self.add_error("cmo_licence_number", "Give the number of the society's licence.")
        if basis == Basis.CMO and data["layer"] != Layer.WORK:
            self.add_error("basis", "A society licenses works and no recordings; make a record about the work.")
        self._clean_evidence(data, basis)

    def _clean_evidence(self, data: dict[str, Any], basis: str | None) -> None:
        """A record needs a piece of evidence of a kind that its basis is proved by."""
        kinds = self.new_kinds(data)
        text, kind = data.get("evidence_text", ""), data.get("evidence_kind")
        if text and kind not in TEXT_KINDS:
            self.add_error("evidence_text", "Words alone prove no such thing. Hand the document in as a file.")
        wanted = EVIDENCE_FOR_BASIS.get(basis or "", frozenset())
        if basis and not wanted & (kinds | self.kept) and not {"papers", "licence"} & self.errors.keys():
            words = " or ".join(sorted(records.EVIDENCE[one].lower() for one in wanted if one != "TAG_STATEMENT"))
            self.add_error("papers", f"This needs evidence: {words}. Attach it and say what it is.")

    def new_kinds(self, data: dict[str, Any]) -> frozenset[str]:
        """The kinds of evidence that this form brings."""
        kinds: set[str] = set()
        if data.get("papers") or data.get("evidence_text"):
            kinds.add(data.get("evidence_kind") or EvidenceKind.AGREEMENT)
        if data.get("licence"):
            kinds.add(EvidenceKind.STATEMENT)
        if data.get("cmo_status") in {CmoStatus.NOT_BOUND, CmoStatus.CARVED_OUT}:
            kinds.add(EvidenceKind.DECLARATION)
        return frozenset(str(kind) for kind in kinds)

    def terms(self) -> dict[str, Any]:
        """What was said, as columns of `LicenceGrant`; the share, the countries and the subject apart."""
        data = self.cleaned_data
        stated: str = data["licence"].strip()
        same = stated == self.initial.get("licence", "").strip()
        return {
            "basis": data["basis"],
            "agreement": data["agreement"].strip(),
            "licence_url": self.initial.get("licence_url", "") if same else address_of(stated),
            "licence_statement": self.initial.get("licence_statement", "") if same else stated,
            "uses": sorted(data["uses"]),
            "territories_as_given": data["territories_as_given"].strip() or None,
            "starts_on": data["starts_on"],
            "ends_on": data["ends_on"],
            "material": data["material"],
            "exclusive": data["exclusive"],
            "price_minimum_minor": data["price_minimum_minor"],
            "price_currency": data["price_currency"] if data["price_minimum_minor"] is not None else "",
            "redownload_rule": data["redownload_rule"],
            "preview_max_seconds": data["preview_max_seconds"],
            "edits_allowed": data["edits_allowed"],
            "free_consent": data["free_consent"],
            "drm_required": data["drm_required"],
            "cmo_status": data["cmo_status"],
            "cmo_name": data["cmo_name"].strip(),
            "cmo_licence_number": data["cmo_licence_number"].strip(),
            "cmo_mandate_proven": data["cmo_mandate_proven"],
            "cmo_in_repertoire": data["cmo_in_repertoire"],
            "statutory_condition_met": data["statutory_condition_met"],
            "tariff": data["tariff"].strip(),
        }


def address_of(stated: str) -> str:
    """The licence that a statement names, by its own address on the closed list; empty where it names none.

    What was given is kept beside it, so that a reviewer reads the very words.
    """
    try:
        return licences.parse(stated).url if stated else ""
    except licences.LicenceError:
        return stated if "://" in stated else ""


def said_by(grant: LicenceGrant) -> dict[str, Any]:
    """What a record says, as the form would have been filled in."""
    only, codes = grant.territory_mode == TerritoryMode.ONLY, sorted(grant.territories)
    share = Fraction(grant.share_numerator, grant.share_denominator)
    said = {name: getattr(grant, name) for name in SAME_NAME}
    said |= {
        "licensor": grant.licensor.party.name,
        "licensor_ipi": grant.licensor.party.ipi,
        "licence": grant.licence_statement or grant.licence_url,
        "licence_url": grant.licence_url,
        "licence_statement": grant.licence_statement,
        "where": TermsForm.ONLY if only else TermsForm.EXCEPT if codes else TermsForm.WORLD,
        "countries": ", ".join(codes),
        "share": share_text(share),
        "price_minimum": "",
        "uses": list(grant.uses),
    }
    if grant.price_minimum_minor is not None:
        exponent = Currency(grant.price_currency).exponent
        said["price_minimum"] = f"{Decimal(grant.price_minimum_minor).scaleb(-exponent):f}"
    return said


SAME_NAME = (
    "layer", "material", "basis", "agreement", "starts_on", "ends_on", "exclusive", "price_currency", "redownload_rule",
    "preview_max_seconds", "edits_allowed", "free_consent", "drm_required", "cmo_status", "cmo_name",
    "cmo_licence_number", "cmo_mandate_proven", "cmo_in_repertoire", "statutory_condition_met", "tariff",
)  # fmt: skip
