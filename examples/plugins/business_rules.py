"""A validator of business rules: what a schema cannot say about an invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Struct
from pydantic import Field

from hotplane import Config, Execution, PluginMetadata, ValidationResult, Validator
from hotplane.plugins import ValidationContext
from hotplane.records import ExecutionStatus, FieldError


class InvoiceRulesConfig(Config):
    """What the business decides, so that it is set and not programmed."""

    currencies: Annotated[frozenset[str], Field(min_length=1)] = frozenset({"EUR", "USD"})
    """Currencies in which invoices are written."""
    max_discount: Annotated[float, Field(ge=0, le=1)] = 0.3
    """The greatest share that may be taken off."""
    tolerance: Annotated[float, Field(ge=0)] = 0.005
    """By how much the total may differ from the sum, for rounding."""


class Line(Struct):
    """One line of an invoice."""

    price: Decimal
    quantity: int


class Invoice(Struct):
    """What the task returns, as far as the rules need it."""

    total: Decimal
    currency: str
    lines: list[Line]
    discount: Decimal = Decimal(0)


class InvoiceRules(Validator[InvoiceRulesConfig]):
    """Checks totals, discounts and currencies; every broken rule is named, with the place of its offender."""

    metadata = PluginMetadata(
        name="invoice-rules",
        version="1.0.0",
        description="An invoice adds up, has a known currency, and no discount beyond the limit.",
        author="The Hotplane developers",
        requires_host=">=0.1",
    )

    def validate(self, execution: Execution, context: ValidationContext) -> ValidationResult:
        """Judge an invoice; what is none is the schema's matter, and not judged here."""
        del context
        if execution.status is not ExecutionStatus.SUCCESS:
            return ValidationResult(valid=None, applies=False, message="there is no invoice")
        try:
            invoice = msgspec.convert(execution.output, Invoice, strict=False)
        except msgspec.ValidationError as error:
            return ValidationResult(valid=None, message=f"this is no invoice: {error}")
        errors = tuple(self._broken(invoice))
        return ValidationResult(valid=not errors, errors=errors, message="; ".join(each.message for each in errors))

    def _broken(self, invoice: Invoice) -> list[FieldError]:
        errors: list[FieldError] = []
        if invoice.currency not in self.config.currencies:
            errors.append(_error("currency", f"{invoice.currency!r} is not a currency that is used here"))
        if not 0 <= invoice.discount <= Decimal(str(self.config.max_discount)):
            errors.append(_error("discount", f"a discount of {invoice.discount} is not allowed"))
        total = sum((line.price * line.quantity for line in invoice.lines), Decimal(0)) * (1 - invoice.discount)
        if abs(total - invoice.total) > Decimal(str(self.config.tolerance)):
            errors.append(_error("total", f"the lines come to {total:.2f}, and the total is {invoice.total}"))
        return errors


def _error(field: str, message: str) -> FieldError:
    return FieldError(message=message, pointer=f"/{field}", code=f"invoice-{field}")
