"""Training of candidates: distillation from the reference, the shared cache of its outputs, recalibration."""

from darwin_core.training.distillation import Distiller as Distiller
from darwin_core.training.distillation import TrainingOutcome as TrainingOutcome
from darwin_core.training.lessons import DistillationData as DistillationData
from darwin_core.training.losses import distillation_losses as distillation_losses
from darwin_core.training.losses import label_losses as label_losses
from darwin_core.training.plan import TrainingPlan as TrainingPlan
from darwin_core.training.recalibration import recalibrate as recalibrate
from darwin_core.training.runtime import prepare_runtime as prepare_runtime
from darwin_core.training.runtime import reseed as reseed
from darwin_core.training.runtime import run_network as run_network
from darwin_core.training.runtime import stable_seed as stable_seed
from darwin_core.training.teacher import TeacherCache as TeacherCache
from darwin_core.training.variation import choose_variation as choose_variation
from darwin_core.training.views import MIRRORED as MIRRORED
from darwin_core.training.views import PLAIN as PLAIN
from darwin_core.training.views import View as View
from darwin_core.training.views import WarpView as WarpView
from darwin_core.training.views import teaching_views as teaching_views
