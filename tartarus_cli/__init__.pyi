from . import audio as audio
from . import factorization as factorization
from . import metrics as metrics
from .api.data import check as check
from .api.data import factorize as factorize
from .api.data import init as init
from .api.data import open_workspace as open_workspace
from .api.data import split as split
from .api.models import predict as predict
from .api.models import run as run
from .api.models import train as train
from .api.results import compare as compare
from .api.results import evaluate as evaluate
from .api.results import export as export
from .api.results import recommend as recommend
from .api.settings import features as features
from .api.settings import patches as patches
from .api.settings import text as text
from .data.dataset import Dataset as Dataset
from .errors import TartarusError as TartarusError
from .models.store import Model as Model
from .models.store import Store as Store
from .workspace import Workspace as Workspace

__version__: str
