"""Solve linear equations with numpy, and say how exact the answer is.

event: {"a": n rows of n numbers, "b": n numbers}
reply: {"x": the solution of a x = b, "residual", "condition", "eigenvalues": [[real, imaginary], ...]}
"""
import numpy as np

N_MAX = 500


def handler(event, context):
    a, b = np.array(event["a"], dtype=float), np.array(event["b"], dtype=float)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or b.shape != a.shape[:1] or len(b) > N_MAX:
        raise ValueError(f"a has the shape {a.shape}, b {b.shape}: not n x n and n, n <= {N_MAX}")
    x = np.linalg.solve(a, b)
    values = np.linalg.eigvals(a)
    print(f"{len(b)} equations, numpy {np.__version__}")
    return {
        "x": x.round(9).tolist(),
        "residual": float(np.linalg.norm(a @ x - b)),
        "condition": float(np.linalg.cond(a)),
        "eigenvalues": [[float(v.real), float(v.imag)] for v in np.sort_complex(values)],
    }
