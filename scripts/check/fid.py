"""Figures on Inception's features of two sets of 10,000 images: `soflow evaluate` against the PyTorch port, scipy and numpy.

    python scripts/check/fid.py images DATA OUT       # a.npz, b.npz, and the weights: inception.pth, filled by rule
    npx soflow evaluate OUT/b.npz --reference OUT/a.npz --features OUT/inception.pth -n 10000 --out OUT/ours --cache OUT/cache
    python scripts/check/fid.py compare OUT

DATA holds cifar10-train-0000.tar and cifar10-test-0000.tar (JPEG files); b is the test set with Gaussian noise of 20 grey levels. An hour
on two cores; features are kept. Needs torch, torchvision, pytorch-fid, scipy, pillow.
"""

import io
import json
import pathlib
import sys
import tarfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "fixtures"))
COUNT, NEIGHBOURS, SPLIT = 10_000, 3, 5000


def photographs(path):
    from PIL import Image

    with tarfile.open(path) as tar:
        files = [tar.extractfile(m).read() for m in tar if m.name.endswith(".jpg")]
    return np.stack([np.array(Image.open(io.BytesIO(file)).convert("RGB")) for file in files[:COUNT]])


def images(data, out):
    import inception
    import torch

    a, b = (photographs(f"{data}/cifar10-{name}-0000.tar") for name in ("train", "test"))
    noise = np.random.default_rng(0).normal(0, 20, b.shape)
    np.savez(f"{out}/a.npz", arr_0=a)
    np.savez(f"{out}/b.npz", arr_0=np.clip(b + noise, 0, 255).astype(np.uint8))
    torch.save(inception.network().state_dict(), f"{out}/inception.pth")


def port_features(out, name):
    """The port's features of a set, from the file where they are kept, or computed."""
    kept = pathlib.Path(f"{out}/port-{name}.npz")
    if not kept.exists():
        import inception
        import torch

        model, x = inception.network(), np.load(f"{out}/{name}.npz")["arr_0"].transpose(0, 3, 1, 2).astype(np.float32)
        pools, spatials = [], []
        for i in range(0, len(x), 16):
            given = ((inception.resize(x[i : i + 16]) - 128) / 128).astype(np.float32)
            seen, pool = inception.forward(model, torch.from_numpy(given))
            pools.append(pool.numpy())
            spatials.append(seen["Mixed_6d.branch1x1"][:, :7].reshape(len(pool), -1).numpy())
        np.savez(kept, pool=np.concatenate(pools), spatial=np.concatenate(spatials))
    with np.load(kept) as file:
        return file["pool"], file["spatial"]


def our_features(folder):
    blocks = [np.load(path) for path in sorted(pathlib.Path(folder).glob("[0-9]*.npz"))]
    return tuple(np.concatenate([block[name] for block in blocks]) for name in ("pool", "spatial"))


def frechet(x, y):
    from pytorch_fid.fid_score import calculate_frechet_distance

    x, y = x.astype(np.float64), y.astype(np.float64)
    return calculate_frechet_distance(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))


def squared_distances(x, y):
    return np.maximum(0, (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * x @ y.T)


def precision_recall(real, made):
    real, made = real.astype(np.float64), made.astype(np.float64)
    radii = [np.partition(squared_distances(x, x), NEIGHBOURS, axis=1)[:, NEIGHBOURS] for x in (real, made)]
    between = squared_distances(made, real)
    return (between <= radii[0][None]).any(1).mean(), (between <= radii[1][:, None]).any(0).mean()


def inception_score(pool):
    import inception

    scores = pool.astype(np.float64) @ inception.filled("fc.weight", (1008, 2048)).numpy().T.astype(np.float64)
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    parts = [p[i : i + SPLIT] for i in range(0, len(p), SPLIT)]
    return np.mean([np.exp((q * (np.log(q) - np.log(q.mean(0)))).sum(1).mean()) for q in parts])


def figures(real, made):
    precision, recall = precision_recall(real[0], made[0])
    return {
        "frechet": frechet(real[0], made[0]),
        "spatialFrechet": frechet(real[1], made[1]),
        "inceptionScore": inception_score(made[0]),
        "precision": precision,
        "recall": recall,
    }


def compare(out):
    found = json.loads(pathlib.Path(f"{out}/ours/results.json").read_text())["scores"]
    ours = {**found, "inceptionScore": found["inceptionScore"]["mean"]}
    kept = next(pathlib.Path(f"{out}/cache").iterdir())
    sets = {
        "the port's features": (port_features(out, "a"), port_features(out, "b")),
        "our features": (our_features(kept), our_features(f"{out}/ours/features")),
    }
    for what, (real, made) in sets.items():
        for name, value in figures(real, made).items():
            print(f"{name:15} ours {ours[name]:.9g}  numpy on {what} {value:.9g}  relative error {abs(ours[name] / value - 1):.1e}")
    for i, name in enumerate(("pool", "spatial")):
        port, own = (np.concatenate([part[i] for part in sets[what]]) for what in sets)
        print(f"{name}: relative error of features {np.linalg.norm(own - port) / np.linalg.norm(port):.1e}")


if __name__ == "__main__":
    {"images": images, "compare": compare}[sys.argv[1]](*sys.argv[2:])
