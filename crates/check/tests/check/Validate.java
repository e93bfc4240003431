import java.io.File;
import java.util.Arrays;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;

/** Holds XML files against an XML Schema: the schema first, then the files. */
final class Validate {
  public static void main(String[] files) throws Exception {
    var factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
    var validator = factory.newSchema(new File(files[0])).newValidator();
    for (String file : Arrays.copyOfRange(files, 1, files.length)) {
      validator.validate(new StreamSource(new File(file)));
    }
  }
}
