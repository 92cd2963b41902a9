"""The catalogue's tables. Plain SQL types only, so that SQLite and PostgreSQL hold the same thing."""

from sqlmodel import Field, SQLModel


class WorkspaceRow(SQLModel, table=True):
    """The one row that says which workspace this is; whoever writes locks it first."""

    __tablename__ = "workspace"  # pyright: ignore[reportAssignmentType]

    only: int = Field(default=1, primary_key=True)  # so that there is never a second row
    id: str
    created_at_s: float


class NamedRow(SQLModel):
    """What data sets, models and audits have in common; `details` and `folder_sha256` are JSON."""

    id: str = Field(primary_key=True)
    name: str = Field(unique=True, index=True)
    created_at_s: float
    details: str
    folder_sha256: str


class DatasetRow(NamedRow, table=True):
    """A data set whose folder is whole."""

    __tablename__ = "datasets"  # pyright: ignore[reportAssignmentType]


class ModelRow(NamedRow, table=True):
    """A model whose folder is whole, and the data set it learnt from."""

    __tablename__ = "models"  # pyright: ignore[reportAssignmentType]

    dataset_id: str = Field(foreign_key="datasets.id", index=True)


class AuditRow(NamedRow, table=True):
    """An audit whose folder is whole."""

    __tablename__ = "audits"  # pyright: ignore[reportAssignmentType]


class JobRow(SQLModel, table=True):
    """A job and its lease: the process (host, pid, time of birth) that may change the row."""

    __tablename__ = "jobs"  # pyright: ignore[reportAssignmentType]

    id: str = Field(primary_key=True)
    kind: str
    spec: str
    submission_key: str | None = Field(default=None, unique=True)
    state: str = Field(default="queued", index=True)
    created_at_s: float
    started_at_s: float | None = None
    finished_at_s: float | None = None
    host: str | None = None
    pid: int | None = None
    process_created_s: float | None = None
    heartbeat_s: float
    progress: float = 0.0
    message: str = ""
    cancel_requested: bool = False
    result: str | None = None
    error: str | None = None
