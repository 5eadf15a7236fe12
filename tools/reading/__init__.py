"""Reading text: what a report, note or question says of the ontology's findings. Pure: no film, no model, no network.

Words with their places (words), names (lexicon), the small words that change a statement (cues, scope), and the whole
as statements (statements). Data stands in cues/ and in tools/knowledge."""

from tools.reading.scope import Hedge, Stated
from tools.reading.statements import Reading, Statement, language_of, read

__all__ = ["Hedge", "Reading", "Stated", "Statement", "language_of", "read"]
