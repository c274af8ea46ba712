"""What a dataset is for, told by its files: recommendation, classification, or both."""

from tartarus_cli.workspace import Kind, WorkspaceFiles


def is_classification(inventory: WorkspaceFiles, dataset: str) -> bool:
    """Whether the dataset has classes."""
    targets = inventory.select(Kind.TARGETS, dataset=dataset, fact="class")
    return bool(targets or inventory.select(Kind.LABELS, dataset=dataset))


def is_recommendation(inventory: WorkspaceFiles, dataset: str) -> bool:
    """Whether the dataset has users."""
    kinds = (Kind.TEST_MATRIX, Kind.TRAIN_MATRIX, Kind.USERS)
    plays = any(inventory.select(kind, dataset=dataset) for kind in kinds)
    als = inventory.select(Kind.TARGETS, dataset=dataset, fact="als")
    factors = inventory.select(Kind.USER_FACTORS, dataset=dataset)
    return bool(plays or als or (factors and not is_classification(inventory, dataset)))
