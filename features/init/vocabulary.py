"""The words that columns and events go by in the logs of several languages, and how well a name fits a set of them.

A name is cut into lower-case parts without accents (`Kunden_ID`, `kundenId` and `KundenID` are kunden + id). A part
fits a word it equals or, for words of four letters and more, contains, because German and SQL write words together
(`kundennummer`, `userid`).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

Words = Mapping[str, float]  # a word and how surely it names the role, 0 to 1


def _sure(**listed: str) -> Words:
    """Words by how sure they are: `_sure(p95="user member")` gives both 0.95."""
    return {word: int(surety[1:]) / 100 for surety, words in listed.items() for word in words.split()}


def _all(*listed: str) -> frozenset[str]:
    return frozenset(" ".join(listed).split())


# --- What columns are called ---------------------------------------------------------------------------------------

CUSTOMER = _sure(
    p100="customer kunde kundin klant cliente",
    p95="cust client kund user nutzer usuario utilisateur member mitglied buyer shopper",
    p90="uid account subscriber abonnent",
    p85="konto person visitor besucher household haushalt kd",
    p75="contact guest email cookie device",
)
TIME = _sure(
    p100="timestamp zeitstempel occurred datetime zeitpunkt",
    p95="time zeit ts",
    p90="date datum fecha",
    p85="hora heure created when unix epoch",
    p80="day tag",
    p50="at",
)
EVENT = _sure(
    p100="event ereignis evento evenement",
    p90="activity aktivitat behavior behaviour vorgang",
    p85="action aktion verb",
    p60="type typ tipo art kind",
)
VALUE = _sure(
    p100="amount revenue betrag umsatz spend spent money montant importe monto",
    p95="value wert valor",
    p90="total paid turnover summe",
    p85="gesamt sales",
    p80="gross brutto net netto price preis precio prix",
    p75="eur usd gbp payment",
)
PRICE = _sure(p100="price preis precio prix", p90="unit")  # of one piece
QUANTITY = _sure(
    p100="quantity qty menge anzahl cantidad quantite", p90="count units pieces stuck stuckzahl", p80="items"
)
ORDER = _sure(
    p100="order invoice receipt bestell rechnung auftrag beleg pedido factura commande facture",
    p95="transaction basket booking txn warenkorb",
    p90="trans bon checkout",
)
IDENTITY = _sure(p100="event ereignis uuid guid", p90="row zeile message hit record", p80="log")
KNOWN = _sure(
    p100="known ingested ingest",
    p95="received loaded inserted synced erfasst geladen",
    p90="recorded arrived imported updated aktualisiert",
    p80="processed modified load",
    p70="valid",
)
TEXT = _sure(
    p100="comment kommentar bemerkung comentario commentaire feedback",
    p90="review text nachricht notiz",
    p80="message note body",
)
ACTION = _sure(
    p100="campaign kampagne campana campagne offer angebot treatment variant variante incentive",
    p90="arm promotion promo template coupon action aktion",
)
PROBABILITY = _sure(p100="probability propensity prob pscore wahrscheinlichkeit probabilidad probabilite")
SESSION = _sure(p100="session sitzung sesion", p90="visit", p80="pageview request trace")
HINDSIGHT = _sure(
    p100="churn churned label target lifecycle ltv clv lifetime", p90="cohort kohorte segment cluster score"
)

# Parts that say what a name belongs to in no role: they neither help nor hurt.
NEUTRAL = _all("id no nr num number nummer numero key code hash ref of the at in on utc name type typ local stamp iso")
CODES = _all("id ids no nr num number nummer numero key code hash uuid guid sku asin ean isbn zip plz postcode")
PLACES = _all("channel kanal source quelle medium page seite url path referrer platform device")
LATER = _all(
    "birth birthday dob geburt geburtsdatum ship shipped delivery delivered due expiry expires end until signup"
)
NOT_MONEY = _all("tax vat mwst shipping discount rabatt rate percent pct prozent age alter")
OF_A_KIND = _all(
    "agent feature group gruppe segment type age city country name cohort lifecycle status level tier score"
)

# --- What events are called ----------------------------------------------------------------------------------------

PURCHASE = _all(
    "purchase purchased purchases buy bought order ordered orders sale transaction checkout kauf gekauft bestellung",
    "compra pedido achat commande paid payment invoice conversion",
)
DONE = _all("completed complete success succeeded placed confirmed made done new abgeschlossen")
REFUND = _all("return returned refund refunded retoure ruckgabe erstattung devolucion reembolso remboursement storno")
CONTACT = _all(
    "email mail sent send push sms offer contact contacted newsletter letter exposure impression treatment angebot"
)
CANCEL = _all(
    "cancel cancelled canceled cancellation unsubscribe unsubscribed terminate terminated kundigung baja churn"
)
CONTRACT = _all(
    "subscribe subscribed subscription renew renewed renewal activate activated start resubscribe abo verlangerung alta"
)
BROWSE = _all(
    "view viewed pv pageview page visit visited click clicked search cart fav favorite favourite wishlist login logout",
    "signup session add remove product catalog home support open opened ticket play",
    "ansicht besuch suche warenkorb klick anmeldung visita vue panier",
)
ACTS = PURCHASE | REFUND | CONTACT | CANCEL | CONTRACT | BROWSE
NOTHING = _all(
    "none nothing no control holdout baseline placebo keine nichts kein kontrolle kontrollgruppe",
    "ninguno ninguna nada aucun aucune rien",
)
NOTHING_OF = _all("action email mail e offer contact treatment campaign")  # `no action`, `No E-Mail`


def parts(name: str) -> tuple[str, ...]:
    """The lower-case parts of a name, without accents and digits.

    >>> parts("KundenID"), parts("event_time2"), parts("Größe (€)")
    (('kunden', 'id'), ('event', 'time'), ('grosse',))
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return tuple(part.lower() for part in re.findall(r"[A-Za-z]+", spaced))


def fit(name: str, words: Words, *, stray: float = 0.1) -> float:
    """How surely a name is one of the words: the best word's weight, less `stray` for every part that fits nothing.

    >>> fit("customer_id", CUSTOMER), fit("Kundennummer", CUSTOMER), fit("country", CUSTOMER)
    (1.0, 1.0, 0.0)
    """
    weights = [(part, _weight(part, words)) for part in parts(name)]
    best = max((weight for _, weight in weights), default=0.0)
    strays = sum(1 for part, weight in weights if not weight and part not in NEUTRAL)
    return max(best - stray * strays, 0.0) if best else 0.0


def speaks_of(name: str, words: Iterable[str]) -> bool:
    """Whether a part of the name is one of the words.

    >>> speaks_of("order_completed", PURCHASE), speaks_of("disorder", PURCHASE)
    (True, False)
    """
    return not set(words).isdisjoint(parts(name))


def is_nothing(level: str) -> bool:
    """Whether an action's name says that nothing was done.

    >>> is_nothing("No E-Mail"), is_nothing("none"), is_nothing("Mens E-Mail")
    (True, True, False)
    """
    named = parts(level)
    return bool(named) and named[0] in NOTHING and set(named[1:]) <= NOTHING_OF


def _weight(part: str, words: Words) -> float:
    within = max((weight for word, weight in words.items() if len(word) > 3 and word in part), default=0.0)
    return max(words.get(part, 0.0), within)
