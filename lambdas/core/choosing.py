"""Which model a request is for, and whether that model can do what it asks. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from lambdas.core.errors import invalid
from lambdas.core.models import Model
from lambdas.core.requests import GenerateRequest

OPTIONS = (
    "lyrics", "negative_prompt", "bpm", "key", "instrumental", "temperature", "top_k", "top_p", "guidance",
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A deployment's models, its default first, and the licences that it accepts."""

    models: Mapping[str, Model]
    accepted_licences: Collection[str] = ()

    def model_for(self, request: GenerateRequest) -> Model:
        """The model that was named, or the first that takes such recordings as were given.

        Raises RequestError invalid_request, naming the models that can where this one cannot.
        """
        model = self._first_fitting(request) if request.model is None else self._named(request.model)
        if not model.allowed_by(self.accepted_licences):
            raise invalid("/model", f"{model.id} is {model.licence}, which this deployment has not accepted.")
        self._check_recordings(request, model)
        if request.prompt is None and not _blends(model):
            raise invalid("/prompt", "A prompt is required by this model.")
        if length_of(request, model) not in model.duration:
            low, high = model.duration.low, model.duration.high
            raise invalid("/duration", f"{model.id} makes {low:g} to {high:g} seconds.")
        self._check_options(request, model)
        return model

    def _named(self, name: str) -> Model:
        model = self.models.get(name)
        if model is None:
            raise invalid("/model", f"This deployment has no such model; it has: {', '.join(self.models)}.")
        return model

    def _first_fitting(self, request: GenerateRequest) -> Model:
        models = list(self.models.values())
        return next((model for model in models if _takes_recordings(request, model)), models[0])

    def _check_recordings(self, request: GenerateRequest, model: Model) -> None:
        every = self.models.values()
        if request.tracks is not None and not _blends(model):
            raise invalid("/tracks", f"{model.id} takes no tracks; {_able(filter(_blends, every))}.")
        if request.tracks is None and _blends(model):
            raise invalid("/tracks", f"{model.id} needs two tracks.")
        role = request.audio.role if request.audio else None
        if role is not None and role not in model.inputs:
            able = _able(other for other in every if role in other.inputs)
            raise invalid("/audio/role", f"{model.id} takes no recording as {role}; {able}.")

    def _check_options(self, request: GenerateRequest, model: Model) -> None:
        role = request.audio.role if request.audio else None
        unheeded = model.inputs[role].unheeded if role else ()
        for name in OPTIONS:
            value = getattr(request, name)
            if value is None:
                continue
            if name not in model.options:
                able = _able(other for other in self.models.values() if name in other.options)
                raise invalid(f"/{name}", f"{model.id} does not take {name}; {able}.")
            if name in unheeded:
                raise invalid(f"/{name}", f"{model.id} does not heed {name} beside a recording as {role}.")
            span = model.options[name]
            if span is not None and value not in span:
                raise invalid(f"/{name}", f"{model.id} takes {span.low:g} to {span.high:g}.")
        if request.instrumental is False and "lyrics" in model.options and not request.lyrics:
            raise invalid("/lyrics", f"{model.id} sings what it is given: add lyrics.")


def length_of(request: GenerateRequest, model: Model) -> float:
    """Seconds. Who asked for no length in particular gets the usual one, as far as the model goes."""
    if "duration" in request.model_fields_set:
        return request.duration
    return min(max(request.duration, model.duration.low), model.duration.high)


def _able(models: Iterable[Model]) -> str:
    able = ", ".join(model.id for model in models)
    return f"these do: {able}" if able else "no model of this deployment does"


def _blends(model: Model) -> bool:
    return "track" in model.inputs


def _takes_recordings(request: GenerateRequest, model: Model) -> bool:
    role = request.audio.role if request.audio else None
    return _blends(model) == (request.tracks is not None) and (role is None or role in model.inputs)
