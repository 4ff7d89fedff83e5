"""The flow of jobs in any order of events that hypothesis thinks of, with the laws held after each call."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from lambdas.core.errors import (
    Busy,
    HostRefusal,
    PermanentError,
    RequestError,
    StoreFault,
    TransientError,
    Unfit,
    Waking,
)
from lambdas.core.ports import Failed, Finished, Message, Running
from lambdas.core.spending import Ceilings
from tests.fakes.stories import LONG, NOT_NOW, TOUCHY
from tests.fakes.wire import Broken, Crash, Fault
from tests.fakes.world import OWNER, REQUEST, World, settled

ANSWERS = st.lists(
    st.one_of(
        st.builds(Running, st.floats(-1, 2), check_after=st.floats(0, 400)),
        st.just(Failed("cold", "Starting up.", transient=True)),
        st.just(Failed("refused", "Not this prompt.", transient=False)),
        st.just(NOT_NOW),
        st.just(Finished(cost_usd=0.1)),
    ),
    max_size=12,
)


REFUSALS = (
    NOT_NOW,
    Busy("busy", "Full.", 30),
    Waking("waking", "Not yet.", 100),
    StoreFault("upload_refused", "The store refused."),
    HostRefusal("host_unpaid", "Not paid."),
    Unfit("not_hosted", "Not here."),
    PermanentError("invalid_input", "Not this."),
)


class Flow(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    @initialize(
        random=st.randoms(use_true_random=False),
        copies=st.integers(1, 2),
        answers=ANSWERS,
        refusals=st.lists(st.sampled_from(REFUSALS), max_size=8),
        others=st.lists(st.sampled_from(REFUSALS), max_size=4),
        longest=st.sampled_from((30.0, 300.0)),
        policy=st.sampled_from((None, TOUCHY)),
        ceilings=st.sampled_from((None, Ceilings(stage=1.0), Ceilings(principal=0.5))),
    )
    def begin(self, random, copies, answers, refusals, others, longest, policy, ceilings):
        self.world = World("first", "second", copies=copies, random=random, policy=policy, ceilings=ceilings)
        self.world.hosts["first"].longest = longest
        self.world.hosts["first"].answers = (*answers, Finished())
        self.world.hosts["first"].refusals = refusals
        self.world.hosts["second"].refusals = others

    @rule(
        target=jobs,
        base=st.sampled_from((REQUEST, LONG)),
        seed=st.none() | st.just(1),
        variations=st.integers(1, 3),
        key=st.text(max_size=2),
    )
    def submit(self, base, seed, variations, key):
        request = base.model_copy(update={"seed": seed, "variations": variations})
        made: list[str] = []
        self.try_to(lambda: made.extend(self.world.submit(request, key)))
        return multiple(*made)

    @rule(job_id=jobs)
    def cancel(self, job_id):
        self.try_to(lambda: self.world.collection.cancel(job_id, OWNER))

    @rule(job_id=jobs)
    def delete(self, job_id):
        self.try_to(lambda: self.world.collection.delete(job_id, OWNER))

    @rule(job_id=jobs, title=st.text(min_size=1, max_size=5))
    def rename(self, job_id, title):
        self.try_to(lambda: self.world.collection.amend(job_id, OWNER, lambda job: job.but(title=title)))

    @rule(job_id=jobs)
    def hint(self, job_id):
        self.world.queue.send(Message(job_id=job_id))

    @rule(times=st.integers(1, 8))
    def turn(self, times):
        for _ in range(times):
            self.world.turn()

    @rule()
    def lose_a_message(self):
        if self.world.queue.letters:
            self.world.queue.letters.pop()

    @rule(seconds=st.floats(0, 1000))
    def wait(self, seconds):
        self.world.time.pass_by(seconds)

    @rule(ahead=st.integers(0, 30), fault=st.sampled_from(Fault))
    def sow(self, ahead, fault):
        self.world.wire.fault(len(self.world.wire.calls) + ahead, fault)

    @rule(job_id=jobs, ahead=st.integers(0, 30))
    def come_again(self, job_id, ahead):
        nth = len(self.world.wire.calls) + ahead
        self.world.wire.before[nth] = lambda: self.world.conductor.step(job_id)

    def try_to(self, act: Callable[[], object]) -> object:
        try:
            return act()
        except (RequestError, TransientError, Broken, Crash):
            return None

    def teardown(self):
        if hasattr(self, "world"):
            self.world.run()
            assert all(status.terminal for status in settled(self.world))


TestFlow = Flow.TestCase
TestFlow.settings = settings(max_examples=250, stateful_step_count=30)
