package medc.lab;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.delta.catalog.DeltaCatalog;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog of three-level names for tests: lake.silver.orders is kept as spark_catalog.lake__silver.orders.
 *
 * <p>Open-source Spark has one catalog for Delta tables, and DeltaCatalog works under no other name. This one passes every call
 * on to it, so that any number of catalogs can stand beside each other. It makes no views; Spark asks no foreign catalog for
 * them.
 */
public final class LakeCatalog implements StagingTableCatalog, SupportsNamespaces {
  private interface Call<T> {
    T run() throws Exception;
  }

  private String name;

  @Override
  public void initialize(String given, CaseInsensitiveStringMap options) {
    name = given;
  }

  @Override
  public String name() {
    return name;
  }

  private static DeltaCatalog delta() {
    var session = (org.apache.spark.sql.classic.SparkSession) SparkSession.active();
    return (DeltaCatalog) session.sessionState().catalogManager().v2SessionCatalog();
  }

  @SuppressWarnings("unchecked")
  private static <E extends Exception> void rethrow(Exception exception) throws E {
    throw (E) exception;
  }

  /** Checked exceptions pass as they are: the interface declares fewer than the catalog throws. */
  private static <T> T pass(Call<T> call) {
    try {
      return call.run();
    } catch (Exception exception) {
      LakeCatalog.<RuntimeException>rethrow(exception);
      throw new AssertionError(exception);
    }
  }

  private String[] inner(String[] namespace) {
    String[] inner = namespace.clone();
    if (inner.length > 0) {
      inner[0] = name + "__" + inner[0];
    }
    return inner;
  }

  private Identifier inner(Identifier identifier) {
    return Identifier.of(inner(identifier.namespace()), identifier.name());
  }

  private String outer(String namespace) {
    return namespace.substring(name.length() + 2);
  }

  @Override
  public String[] defaultNamespace() {
    return new String[] {"default"};
  }

  @Override
  public Set<TableCatalogCapability> capabilities() {
    return delta().capabilities();
  }

  @Override
  public Identifier[] listTables(String[] namespace) {
    return pass(
        () ->
            Arrays.stream(delta().listTables(inner(namespace)))
                .map(table -> Identifier.of(namespace, table.name()))
                .toArray(Identifier[]::new));
  }

  @Override
  public Table loadTable(Identifier table) {
    return pass(() -> delta().loadTable(inner(table)));
  }

  @Override
  public Table loadTable(Identifier table, String version) {
    return pass(() -> delta().loadTable(inner(table), version));
  }

  @Override
  public Table loadTable(Identifier table, long timestamp) {
    return pass(() -> delta().loadTable(inner(table), timestamp));
  }

  @Override
  public boolean tableExists(Identifier table) {
    return delta().tableExists(inner(table));
  }

  @Override
  public Table createTable(Identifier table, Column[] columns, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().createTable(inner(table), columns, parts, properties));
  }

  @Override
  @SuppressWarnings("deprecation")
  public Table createTable(Identifier table, StructType schema, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().createTable(inner(table), schema, parts, properties));
  }

  @Override
  public Table alterTable(Identifier table, TableChange... changes) {
    return pass(() -> delta().alterTable(inner(table), changes));
  }

  @Override
  public boolean dropTable(Identifier table) {
    return delta().dropTable(inner(table));
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    pass(
        () -> {
          delta().renameTable(inner(from), inner(to));
          return null;
        });
  }

  @Override
  @SuppressWarnings("deprecation")
  public StagedTable stageCreate(Identifier table, StructType schema, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().stageCreate(inner(table), schema, parts, properties));
  }

  @Override
  @SuppressWarnings("deprecation")
  public StagedTable stageReplace(Identifier table, StructType schema, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().stageReplace(inner(table), schema, parts, properties));
  }

  @Override
  @SuppressWarnings("deprecation")
  public StagedTable stageCreateOrReplace(
      Identifier table, StructType schema, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().stageCreateOrReplace(inner(table), schema, parts, properties));
  }

  @Override
  public StagedTable stageCreate(Identifier table, Column[] columns, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().stageCreate(inner(table), columns, parts, properties));
  }

  @Override
  public StagedTable stageReplace(Identifier table, Column[] columns, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().stageReplace(inner(table), columns, parts, properties));
  }

  @Override
  public StagedTable stageCreateOrReplace(
      Identifier table, Column[] columns, Transform[] parts, Map<String, String> properties) {
    return pass(() -> delta().stageCreateOrReplace(inner(table), columns, parts, properties));
  }

  @Override
  public String[][] listNamespaces() {
    return pass(
        () ->
            Arrays.stream(delta().listNamespaces())
                .filter(namespace -> namespace[0].startsWith(name + "__"))
                .map(namespace -> new String[] {outer(namespace[0])})
                .toArray(String[][]::new));
  }

  @Override
  public String[][] listNamespaces(String[] namespace) {
    return namespace.length == 0 ? listNamespaces() : new String[0][];
  }

  @Override
  public boolean namespaceExists(String[] namespace) {
    return delta().namespaceExists(inner(namespace));
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace) {
    return pass(() -> delta().loadNamespaceMetadata(inner(namespace)));
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata) {
    pass(
        () -> {
          delta().createNamespace(inner(namespace), metadata);
          return null;
        });
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) {
    pass(
        () -> {
          delta().alterNamespace(inner(namespace), changes);
          return null;
        });
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade) {
    return pass(() -> delta().dropNamespace(inner(namespace), cascade));
  }
}
