"""PyTorch on the same work, driven over stdin: one line in, one round, one JSON line out. See bench/lib/peers.mjs."""
import json
import resource
import sys
import time

import torch

from dit import DiT

GAP = 1e-4


def guided(v_t, v_null, v_own, t, dropped, guidance):
    scale, mix, tau = guidance["scale"], guidance["mix"], guidance["decayTime"]
    q = ((1 - t) / (1 - tau)).clamp(0, 1 - 1e-6)
    decay = torch.where(t <= tau, torch.ones_like(t), 1 - torch.exp(-0.025 * q / (1 - q)))
    v_g = v_t + decay * (scale - 1) * (v_t - v_null)
    return torch.where(dropped, v_t, mix * v_g + (1 - mix) * v_own)


def weight(mse, epsilon=0.01):
    return 1 / (mse.detach() + epsilon)


def soflow_loss(network, draws, n, none, guidance):
    """The velocity loss on the first n samples, the consistency loss on the rest; linear path, Euler coefficients, p = 1."""
    x_0, eps, trained, original = (draws[k] for k in ("x_0", "eps", "trained", "labels"))
    dropped = (trained == none).reshape(-1, 1, 1, 1)

    a, t = slice(0, n), draws["t"]
    x_t, v_t = (1 - t) * x_0[a] + t * eps[a], eps[a] - x_0[a]
    with torch.no_grad():
        v_null = network(x_t, t, t, torch.full_like(trained[a], none))
    F_t = network(x_t, t, t, trained[a])
    v_star = guided(v_t, v_null, F_t.detach(), t, dropped[a], guidance)
    mse = (F_t - v_star).square().mean(dim=(1, 2, 3))
    velocity = (weight(mse) * mse).mean()

    b = slice(n, None)
    t = draws["time2"].clamp(min=GAP)
    s = torch.minimum(draws["time1"], t - GAP)
    l = torch.minimum(t + (s - t) * draws["ratio"], t - GAP)
    x_t, v_t = (1 - t) * x_0[b] + t * eps[b], eps[b] - x_0[b]
    F_t = network(x_t, t, s, trained[b])
    with torch.no_grad():
        v_null = network(x_t, t, t, torch.full_like(trained[b], none))
        v_own = network(x_t, t, t, original[b])
        v_star = guided(v_t, v_null, v_own, t, dropped[b], guidance)
        x_l = x_t + v_star * (l - t)
        f_l = x_l + (s - l) * network(x_l, l, s, trained[b])
        delta = (x_t + (s - t) * F_t - f_l) / (t - l)
        w = weight(delta.square().mean(dim=(1, 2, 3))).reshape(-1, 1, 1, 1)
    consistency = (torch.sign(s - t) * (F_t * delta * w).mean(dim=(1, 2, 3), keepdim=True)).mean()

    share = n / len(x_0)
    return share * velocity + (1 - share) * consistency


class Step:
    def __init__(self, job):
        sizes, self.batch = job["network"], job["batch"]
        self.network, self.average = DiT(**sizes), DiT(**sizes)
        for p in self.network.parameters():
            torch.nn.init.normal_(p, std=0.02)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=1e-4, betas=(0.9, 0.99), weight_decay=0, fused=True
        )
        self.guidance, self.none = job["guidance"], sizes["classes"]
        self.n = int(0.75 * self.batch)
        self.draws = self.draw(sizes)
        loss = soflow_loss
        self.forward = torch.compile(self.network) if job["compile"] else self.network
        self.loss = loss

    def draw(self, sizes):
        image = (self.batch, sizes["channels"], sizes["imageSize"], sizes["imageSize"])
        time = lambda count: torch.rand(count, 1, 1, 1)
        labels = torch.arange(self.batch) % sizes["classes"]
        trained = torch.where(torch.arange(self.batch) % 10 == 9, torch.full_like(labels, self.none), labels)
        rest = self.batch - self.n
        return {
            "x_0": torch.randn(image), "eps": torch.randn(image), "labels": labels, "trained": trained,
            "t": time(self.n), "time1": time(rest), "time2": time(rest), "ratio": torch.tensor(0.01),
        }

    def round(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.forward, self.draws, self.n, self.none, self.guidance)
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1e-4)
        return loss.item()


class Sample:
    def __init__(self, job):
        sizes, batch = job["network"], job["batch"]
        network = DiT(**sizes).eval()
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.02)
        self.network = torch.compile(network) if job["compile"] else network
        self.shape = (batch, sizes["channels"], sizes["imageSize"], sizes["imageSize"])
        self.batches = job.get("batches", 1)
        self.y = torch.arange(batch) % sizes["classes"]
        self.one, self.zero = torch.ones(batch, 1, 1, 1), torch.zeros(batch, 1, 1, 1)

    @torch.inference_mode()
    def round(self):
        for _ in range(self.batches):
            noise = torch.randn(self.shape)
            images = noise - self.network(noise, self.one, self.zero, self.y)
        return images.mean().item()


class Products:
    """The chain of matrix products that `matmulRate` of soflow times: PyTorch's own limit on this machine."""

    def __init__(self, job):
        self.x, self.up, self.down = torch.randn(2048, 384), torch.randn(384, 1536) / 20, torch.randn(1536, 384) / 40

    @torch.inference_mode()
    def round(self):
        x = self.x
        for _ in range(5):
            x = (x @ self.up) @ self.down
        return x.mean().item()


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    torch.set_flush_denormal(True)
    work = {"step": Step, "sample": Sample, "products": Products}[job["work"]](job)
    for _ in range(job["warmup"]):
        work.round()
    print(json.dumps({"ready": torch.__version__}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        value = work.round()
        ms = 1000 * (time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"ms": ms, "value": value, "peak": peak}), flush=True)


main()
